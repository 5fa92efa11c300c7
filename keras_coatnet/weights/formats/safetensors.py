"""The safetensors format, through its own library."""

import numpy as np

from keras_coatnet.weights.formats.file import CheckpointFile


def read_safetensors(path):
    """Read a file.

    Raises: ValueError for a file that is cut or inconsistent.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return CheckpointFile(path, "safetensors", load_file(path))
    except (SafetensorError, ValueError, KeyError, OSError) as error:
        raise ValueError(f"{path} is a damaged safetensors file: {error}") from error


def write_safetensors(path, arrays):
    """Write name -> array."""
    from safetensors.numpy import save_file

    # Not np.ascontiguousarray, which makes a vector of a number.
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    save_file(contiguous, path, metadata={"format": "pt"})
