"""LiteRT (TFLite) files: written by TensorFlow's converter, run by ai-edge-litert, labels and metadata inside."""

import os

import numpy as np

from keras_coatnet.deploy.formats.litert_convert import convert
from keras_coatnet.deploy.formats.litert_gelu import without_gelu_builtin
from keras_coatnet.deploy.formats.litert_metadata import append_metadata
from keras_coatnet.deploy.formats.litert_metadata import read_metadata as read_metadata


def write(model, path, request):
    """Writes a model as a LiteRT file. Keras runs on TensorFlow.

    Args:
        model: Functional `keras.Model` in float32.
        path: of the file.
        request: `Request`; of it `batch_size`, `quantization`, `calibration`, `gelu_builtin` and `metadata`.
    """
    if not request.gelu_builtin:
        model = without_gelu_builtin(model)
    content = convert(model, request.batch_size, request.quantization, request.calibration)
    with open(path, "wb") as file:
        file.write(content)
    append_metadata(path, request.metadata)


def load(path):
    """Opens a LiteRT file for prediction.

    Returns: `LiteRTModel`.
    """
    from ai_edge_litert.interpreter import Interpreter

    return LiteRTModel(Interpreter(model_path=os.fspath(path), num_threads=available_cores()))


class LiteRTModel:
    """A file in LiteRT's interpreter: a function from pictures to predictions.

    Args:
        interpreter: of the file.

    Shapes: (B, H, W, 3) -> (B, classes). A file of a fixed batch is run as often as it takes, the last time filled up.
    """

    def __init__(self, interpreter):
        self.interpreter = interpreter
        inputs = interpreter.get_input_details()[0]
        self.input_shape = tuple(None if side < 0 else int(side) for side in inputs["shape_signature"])
        self.input_dtype = np.dtype(inputs["dtype"])
        self._input = inputs["index"]
        self._output = interpreter.get_output_details()[0]["index"]
        self._allocated = None

    def __call__(self, batch):
        batch = np.ascontiguousarray(batch, self.input_dtype)
        size = self.input_shape[0]
        if size is None:
            return self._run(batch)
        missing = -len(batch) % size
        filled = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch
        parts = [self._run(filled[start : start + size]) for start in range(0, len(filled), size)]
        return np.concatenate(parts)[: len(batch)]

    def _run(self, batch):
        if self._allocated != batch.shape:
            if None in self.input_shape:
                self.interpreter.resize_tensor_input(self._input, batch.shape)
            self.interpreter.allocate_tensors()
            self._allocated = batch.shape
        self.interpreter.set_tensor(self._input, batch)
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self._output)


def available_cores():
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
