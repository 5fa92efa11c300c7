"""OpenVINO: an `.xml` of operators and a `.bin` of weights beside it, run by OpenVINO."""

import json
import os
import tempfile

import numpy as np

METADATA_KEY = "keras_coatnet"


def write(model, path, request):
    """Writes `path`, an `.xml`, and the `.bin` beside it.

    Args:
        model: Keras model on PyTorch.
        path: to write to.
        request: `Request`.
    """
    import onnx_ir as ir
    import openvino

    from keras_coatnet.deploy.formats.onnx import check_fits
    from keras_coatnet.deploy.formats.onnx_export import to_onnx

    check_fits(model)
    with tempfile.TemporaryDirectory() as folder:
        between = os.path.join(folder, "model.onnx")
        ir.save(to_onnx(model, request.batch_size, channels_first=False), between)
        # Not `convert_model`: that reports to its makers, by processes that may outlive this one.
        converted = openvino.Core().read_model(between)
        converted.set_rt_info(json.dumps(request.metadata, ensure_ascii=False), [METADATA_KEY])
        openvino.save_model(converted, path, compress_to_fp16=request.quantization == "float16")


def load(path):
    """A function from a batch to the outputs, run by OpenVINO."""
    return Runner(path)


def read_metadata(path):
    """What export said about the model; None for a file of others."""
    import openvino

    model = openvino.Core().read_model(path)
    return json.loads(model.get_rt_info([METADATA_KEY]).astype(str)) if model.has_rt_info([METADATA_KEY]) else None


class Runner:
    """Runs an OpenVINO model on the CPU in single precision, which OpenVINO by itself leaves where it can."""

    def __init__(self, path):
        import openvino

        core = openvino.Core()
        self._model = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        taken = self._model.input(0)
        self.input_shape = tuple(side.get_length() if side.is_static else None for side in taken.partial_shape)
        self.input_dtype = np.dtype(taken.element_type.to_dtype()).name

    def __call__(self, batch):
        """Outputs of a batch, as a NumPy array."""
        return np.array(self._model(np.ascontiguousarray(batch, self.input_dtype))[0])
