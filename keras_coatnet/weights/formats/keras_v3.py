"""Our own files: Keras 3's `.weights.h5`, alone or inside a `.keras` archive."""

import zipfile

import h5py
import ml_dtypes
import numpy as np

from keras_coatnet.weights.formats.file import CheckpointFile


def read_keras_v3(path, is_archive):
    """Read a file: `<layer>/<sub-layer>/.../<index>` -> array, and the grids of tables.

    Keras names the groups after classes and counters, and notes each layer's own name beside its variables; the layer's
    name is what counts here, since counters shift with what else a model has.

    Raises: ValueError for a file that is cut or inconsistent.
    """
    try:
        if is_archive:
            with (
                zipfile.ZipFile(path) as archive,
                archive.open("model.weights.h5") as stream,
                h5py.File(stream, "r") as file,
            ):
                arrays, grids = read_layers(file)
        else:
            with h5py.File(path, "r") as file:
                arrays, grids = read_layers(file)
    except (OSError, KeyError, RuntimeError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is a damaged Keras file: {error}") from error
    return CheckpointFile(path, "keras_v3", arrays, grids=grids)


def read_layers(file):
    arrays, grids = {}, {}
    for group in file.get("layers", {}).values():
        name = group["vars"].attrs.get("name") if "vars" in group else None
        if isinstance(name, bytes):
            name = name.decode()
        if name is not None:
            read_group(group, name, arrays, grids)
    return arrays, grids


def read_group(group, prefix, arrays, grids):
    """All variables below a layer's group; seed states are no weights and are left."""
    for key, child in group.items():
        if key != "vars":
            read_group(child, f"{prefix}/{key}", arrays, grids)
            continue
        for index, dataset in child.items():
            if index == "grid":
                grids[prefix] = tuple(int(side) for side in dataset[()])
            elif index != "seed":
                is_bfloat16 = dataset.attrs.get("dtype") == "bfloat16"
                arrays[f"{prefix}/{index}"] = np.array(dataset, dtype=ml_dtypes.bfloat16 if is_bfloat16 else None)
