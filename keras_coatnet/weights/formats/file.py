"""A checkpoint file that has been read, and how its format is told from its content."""

import dataclasses
import os
import zipfile


@dataclasses.dataclass
class CheckpointFile:
    """What a file holds.

    Args:
        path: of the file.
        format: "safetensors", "torch", "legacy_h5" or "keras_v3".
        arrays: name -> array.
        attributes: what the file says of itself, such as Keras' model_config.
        grids: our files' (H, W) of each table, by the name of its layer.
        title: what users know it by where the file's name says nothing.
        others: names of tensors that belong to the larger model that ours is a part of.
    """

    path: str
    format: str
    arrays: dict
    attributes: dict = dataclasses.field(default_factory=dict)
    grids: dict = dataclasses.field(default_factory=dict)

    title: str | None = None
    others: tuple = ()

    @property
    def name(self):
        """What messages call it: the title, or the name of the file."""
        return self.title or os.path.basename(self.path)


def tell_format(path):
    """The format of a file, from its first bytes and what they lead to.

    Returns: "safetensors", "torch", "hdf5" or "keras_archive".
    Raises: FileNotFoundError; ValueError for anything else, with what the file seems to be.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"There is no checkpoint file at {path}.")
    with open(path, "rb") as file:
        start = file.read(512)
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return "hdf5"
    if start.startswith(b"PK\x03\x04") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if "model.weights.h5" in names:
            return "keras_archive"
        if any(name.endswith("data.pkl") for name in names):
            return "torch"
    elif start[8:9] == b"{":
        return "safetensors"
    elif start.startswith(b"\x80"):
        return "torch"
    raise ValueError(
        f"{path} is no checkpoint of a known format (HDF5, .keras, safetensors, PyTorch){guess_content(start)}."
    )


def guess_content(start):
    """What bytes that are no checkpoint look like: ": it is a web page", or nothing."""
    text = start.lstrip().lower()
    if not start:
        return ": it is empty"
    if text.startswith((b"<!doctype", b"<html")):
        return ": it is a web page"
    if text.startswith(b"version https://git-lfs"):
        return ": it is a Git LFS pointer; fetch the file itself"
    return ""
