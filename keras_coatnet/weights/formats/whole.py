"""Whether a file is of its format and there to its end, told without reading its tensors."""

import json
import os
import zipfile

from keras_coatnet.weights.formats.file import tell_format

# What `tell_format` finds in a file of each format of the manifest.
KINDS = {
    "legacy_h5": ("hdf5",),
    "keras_v3": ("hdf5", "keras_archive"),
    "safetensors": ("safetensors",),
    "torch": ("torch",),
}


def find_break(path, format):
    """What is wrong with a file, in words; None if nothing shows.

    Args:
        path: of the file.
        format: "legacy_h5", "keras_v3", "safetensors" or "torch".
    """
    try:
        kind = tell_format(path)
    except ValueError:
        return f"it is not of the format {format}"
    if kind not in KINDS[format]:
        return f"it is of the format {kind}, not {format}"
    return {"hdf5": _cut_hdf5, "safetensors": _cut_safetensors}.get(kind, _cut_archive)(path)


def _cut_hdf5(path):
    import h5py

    try:
        h5py.File(path, "r").close()  # compares the end that the file states with its length
    except (OSError, RuntimeError) as error:
        return f"it is damaged: {error}"
    return None


def _cut_safetensors(path):
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > size - 8:
            return "it is cut: its header goes on behind its end"
        try:
            header = json.loads(file.read(length))
            end = max(
                (tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"), default=0
            )
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            return f"its header is damaged: {error!r}"
    stated = 8 + length + end
    return None if size == stated else f"it has {size:,} bytes and states {stated:,}"


def _cut_archive(path):
    # The old pickles of PyTorch state no length; a zip's table of contents is its end.
    with open(path, "rb") as file:
        is_zip = file.read(4) == b"PK\x03\x04"
    return "it is cut: its table of contents is not there" if is_zip and not zipfile.is_zipfile(path) else None
