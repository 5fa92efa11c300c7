"""Keras 2's HDF5 files: weights alone, or a whole model with or without its optimizer."""

import h5py
import numpy as np

from keras_coatnet.weights.formats.file import CheckpointFile
from keras_coatnet.weights.formats.hdf5 import find_child, get_child, read_array


def is_legacy_h5(file):
    """Whether an open HDF5 file lists its layers as Keras 2 does."""
    root = weights_root(file)
    return any(key.startswith("layer_names") for key in root.attrs)


def weights_root(file):
    return find_child(file, "model_weights") or file


def read_legacy_h5(path):
    """Read a file through its lists of names: `<layer>/<weight>` -> array.

    Raises: ValueError for a file that is cut, inconsistent or leads elsewhere.
    """
    try:
        with h5py.File(path, "r") as file:
            root = weights_root(file)
            arrays, seen = {}, set()
            for layer in names_attribute(root, "layer_names"):
                group = get_child(root, layer)
                for weight in names_attribute(group, "weight_names"):
                    arrays[weight] = read_array(get_child(group, weight), seen)
            attributes = {key: as_text(value) for key, value in file.attrs.items() if not key.startswith("layer_names")}
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is a damaged HDF5 file: {error}") from error
    return CheckpointFile(path, "legacy_h5", arrays, attributes)


def names_attribute(group, key):
    """A list of names; Keras splits long ones over `key0`, `key1`, ..."""
    keys = [key] if key in group.attrs else []
    while not keys or keys[0] != key:
        part = f"{key}{len(keys)}"
        if part not in group.attrs:
            break
        keys.append(part)
    return [as_text(name) for part in keys for name in group.attrs[part]]


def as_text(value):
    return value.decode() if isinstance(value, bytes) else value


def write_legacy_h5(path, arrays):
    """Write `<layer>/<weight>` -> array as Keras 2's `save_weights` does."""
    layers = {}
    for name, array in arrays.items():
        layers.setdefault(name.split("/")[0], []).append((name, array))
    with h5py.File(path, "w") as file:
        file.attrs["backend"] = "tensorflow"
        file.attrs["keras_version"] = "2.15.0"
        write_names(file, "layer_names", list(layers))
        for layer, weights in layers.items():
            group = file.create_group(layer)
            write_names(group, "weight_names", [name for name, _ in weights])
            for name, array in weights:
                group.create_dataset(name, data=np.ascontiguousarray(array))


# HDF5 keeps an attribute within 64 KiB; Keras splits longer lists of names at this size.
ATTRIBUTE_LIMIT = 64512


def write_names(group, key, names):
    encoded = [name.encode() for name in names]
    size = sum(map(len, encoded)) + 16 * len(encoded)
    parts = (
        np.array_split(np.array(encoded, dtype=object), -(-size // ATTRIBUTE_LIMIT)) if size > ATTRIBUTE_LIMIT else None
    )
    if parts is None:
        group.attrs[key] = encoded
        return
    for number, part in enumerate(parts):
        group.attrs[f"{key}{number}"] = list(part)
