"""One way in for all formats."""

import h5py

from keras_coatnet.weights.formats.file import tell_format
from keras_coatnet.weights.formats.keras_v3 import read_keras_v3
from keras_coatnet.weights.formats.legacy_h5 import is_legacy_h5, read_legacy_h5
from keras_coatnet.weights.formats.safetensors import read_safetensors
from keras_coatnet.weights.formats.torch_pickle import read_torch


def read_checkpoint(path, containers=(), prefixes=()):
    """Read a checkpoint of any known format, told from its content.

    Args:
        path: of the file.
        containers, prefixes: see `read_torch`; other formats have none.

    Returns: `CheckpointFile`.
    Raises: FileNotFoundError; ValueError for an unknown or damaged file; ImportError for a PyTorch file without torch.
    """
    kind = tell_format(path)
    if kind == "safetensors":
        return read_safetensors(path)
    if kind == "torch":
        return read_torch(path, containers, prefixes)
    if kind == "keras_archive":
        return read_keras_v3(path, is_archive=True)
    try:
        with h5py.File(path, "r") as file:
            is_legacy = is_legacy_h5(file)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is a damaged HDF5 file: {error}") from error
    return read_legacy_h5(path) if is_legacy else read_keras_v3(path, is_archive=False)
