"""The safetensors format, through its own library."""

import json

import ml_dtypes
import numpy as np

from keras_coatnet.weights.formats.file import CheckpointFile

DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U64": np.uint64,
    "U32": np.uint32,
    "U16": np.uint16,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


def read_safetensors(path):
    """Read a file.

    Raises: ValueError for a file that is cut or inconsistent, or that holds a type of numbers NumPy has not.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            kinds = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 - no dictionary
            for name, kind in kinds.items():
                if kind not in DTYPES:
                    raise ValueError(f"{name} is of the type {kind}; known: {', '.join(DTYPES)}")
            if "BF16" in kinds.values():
                arrays = read_raw(path)  # the library's NumPy side has no such type
            else:
                arrays = {name: file.get_tensor(name) for name in kinds}
    except (SafetensorError, ValueError, KeyError, OSError) as error:
        raise ValueError(f"{path} is a damaged safetensors file: {error}") from error
    return CheckpointFile(path, "safetensors", arrays)


def read_raw(path):
    """Name -> array of a file that the library found sound."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__", None)
    return {
        name: np.frombuffer(data[slice(*tensor["data_offsets"])], DTYPES[tensor["dtype"]]).reshape(tensor["shape"])
        for name, tensor in header.items()
    }


def write_safetensors(path, arrays):
    """Write name -> array."""
    from safetensors.numpy import save_file

    # Not np.ascontiguousarray, which makes a vector of a number.
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    save_file(contiguous, path, metadata={"format": "pt"})
