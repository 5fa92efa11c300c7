"""Our own files: Keras 3's `.weights.h5`, alone or inside a `.keras` archive."""

import zipfile

import h5py
import ml_dtypes

from keras_coatnet.weights.formats.file import CheckpointFile
from keras_coatnet.weights.formats.hdf5 import LARGEST_RATIO, find_child, get_child, read_array, visit


def read_keras_v3(path, is_archive):
    """Read a file: `<layer>/<sub-layer>/.../<index>` -> array, and the grids of tables.

    Keras names the groups after classes and counters, and notes each layer's own name beside its variables; the layer's
    name is what counts here, since counters shift with what else a model has.

    Raises: ValueError for a file that is cut, inconsistent or leads elsewhere.
    """
    try:
        if is_archive:
            with (
                zipfile.ZipFile(path) as archive,
                archive.open(checked_entry(archive)) as stream,
                h5py.File(stream, "r") as file,
            ):
                arrays, grids = read_layers(file)
        else:
            with h5py.File(path, "r") as file:
                arrays, grids = read_layers(file)
    except (OSError, KeyError, RuntimeError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is a damaged Keras file: {error}") from error
    return CheckpointFile(path, "keras_v3", arrays, grids=grids)


def checked_entry(archive):
    entry = archive.getinfo("model.weights.h5")
    if entry.file_size > LARGEST_RATIO * entry.compress_size:
        raise ValueError(f"its weights unpack from {entry.compress_size:,} to {entry.file_size:,} bytes")
    return entry


def read_layers(file):
    arrays, grids, seen = {}, {}, set()
    layers = find_child(file, "layers")
    for key in layers or ():
        group = get_child(layers, key)
        variables = find_child(group, "vars")
        name = variables.attrs.get("name") if variables is not None else None
        if isinstance(name, bytes):
            name = name.decode()
        if name is not None:
            read_group(group, name, arrays, grids, seen)
    return arrays, grids


def read_group(group, prefix, arrays, grids, seen):
    """All variables below a layer's group; seed states are no weights and are left."""
    visit(group, seen)
    for key in group:
        child = get_child(group, key)
        if key == "vars":
            read_variables(child, prefix, arrays, grids, seen)
        else:
            read_group(child, f"{prefix}/{key}", arrays, grids, seen)


def read_variables(group, prefix, arrays, grids, seen):
    for index in group:
        dataset = get_child(group, index)
        if index == "grid":
            grids[prefix] = tuple(int(side) for side in read_array(dataset, seen))
        elif index != "seed":
            is_bfloat16 = dataset.attrs.get("dtype") == "bfloat16"
            arrays[f"{prefix}/{index}"] = read_array(dataset, seen, ml_dtypes.bfloat16 if is_bfloat16 else None)
