"""The formats that a model ships as, a row each, and which one a path means."""

import difflib
import importlib
import os

from keras_coatnet.deploy.formats.format import Format

_ROWS = (
    Format(
        name="saved_model",
        endings=(),
        backend="tensorflow",
        module="keras_coatnet.deploy.formats.saved_model",
        runtime="tensorflow",
        inputs=("float", "uint8", "jpeg"),
        is_folder=True,
        takes_open_sizes=True,
    ),
    Format(
        name="litert",
        endings=(".tflite",),
        backend="tensorflow",
        module="keras_coatnet.deploy.formats.litert",
        runtime="ai_edge_litert",
        packages=("ai_edge_litert",),
        quantizations=("float16", "dynamic", "int8"),
        default_batch_size=1,
    ),
    Format(
        name="onnx",
        endings=(".onnx",),
        backend="torch",
        module="keras_coatnet.deploy.formats.onnx",
        runtime="onnxruntime",
        packages=("onnx", "onnxscript", "onnxruntime"),
        quantizations=("float16",),
    ),
    Format(
        name="openvino",
        endings=(".xml",),
        backend="torch",
        module="keras_coatnet.deploy.formats.openvino",
        runtime="openvino",
        packages=("openvino",),
        quantizations=("float16",),
        companions=(".bin",),
    ),
    Format(
        name="pt2",
        endings=(".pt2",),
        backend="torch",
        module="keras_coatnet.deploy.formats.pt2",
        runtime="torch",
    ),
    Format(
        name="stablehlo",
        endings=(".stablehlo",),
        backend="jax",
        module="keras_coatnet.deploy.formats.stablehlo",
        runtime="jax",
        embeds_metadata=False,
    ),
)
FORMATS = {row.name: row for row in _ROWS}


def find_format(path, format=None):
    """The row that a path and a format's name mean.

    Args:
        path: of the file or folder to be.
        format: name of a format, or None: what the path's ending says; a path without one is a SavedModel.

    Raises: ValueError for an unknown name or ending, with the nearest known one, or for a format with another's ending.
    """
    if format is None:
        return _by_ending(path)
    if format not in FORMATS:
        nearest = difflib.get_close_matches(str(format).lower(), FORMATS, n=1)
        hint = f" Nearest: {nearest[0]!r}." if nearest else ""
        raise ValueError(f"format must be one of {', '.join(map(repr, FORMATS))}, or None; got {format!r}.{hint}")
    row = FORMATS[format]
    ending = _ending(path)
    if row.endings and ending not in row.endings:
        raise ValueError(f"A file of format {row.name!r} must end in {row.endings[0]}; got {os.fspath(path)!r}.")
    if not row.endings and ending in _known_endings():
        raise ValueError(f"A folder of format {row.name!r} must not end in {ending}; got {os.fspath(path)!r}.")
    return row


def writer_of(format):
    """The module with `write`, `load` and `read_metadata` of a row."""
    return importlib.import_module(format.module)


def _by_ending(path):
    ending, known = _ending(path), _known_endings()
    if ending in known:
        return known[ending]
    if not ending or os.fspath(path).endswith(("/", os.sep)):
        return FORMATS["saved_model"]
    nearest = difflib.get_close_matches(ending, known, n=1)
    hint = f" Nearest: {nearest[0]}." if nearest else ""
    raise ValueError(
        f"The ending of {os.fspath(path)!r} says no format: {', '.join(known)}, or none for a SavedModel folder.{hint} "
        f"format= says one of {', '.join(map(repr, FORMATS))}."
    )


def _ending(path):
    return os.path.splitext(os.fspath(path).rstrip("/" + os.sep))[1].lower()


def _known_endings():
    return {ending: row for row in _ROWS for ending in row.endings}
