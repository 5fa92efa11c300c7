"""ONNX: convolutions on channels-first maps inside, pictures channels last outside; run by onnxruntime."""

import json
import os

import numpy as np

METADATA_KEY = "keras_coatnet"
# A protocol buffer, which the file is, ends here.
LARGEST_BYTES = 2**31 - 2**20
BYTES_OF_NUMBER = {None: 4, "float16": 2}


def write(model, path, request):
    """Writes an ONNX file of operator set 20.

    Args:
        model: Keras model on PyTorch.
        path: to write to.
        request: `Request`.

    Raises: ValueError for a model whose weights are more than an ONNX file holds.
    """
    import onnx_ir as ir

    from keras_coatnet.deploy.formats.onnx_export import to_onnx
    from keras_coatnet.deploy.formats.onnx_half import store_in_half

    check_fits(model, request.quantization)
    exported = to_onnx(model, request.batch_size)
    if request.quantization == "float16":
        store_in_half(exported.graph)
    exported.metadata_props[METADATA_KEY] = json.dumps(request.metadata, ensure_ascii=False)
    ir.save(exported, path)


def check_fits(model, quantization=None):
    """Raise a ValueError for more weights than one file can hold."""
    size = model.count_params() * BYTES_OF_NUMBER[quantization]
    if size > LARGEST_BYTES:
        raise ValueError(
            f"An ONNX file holds at most 2 GB of weights; {model.name} has {size / 1e9:.1f} GB. "
            'quantization="float16" halves that; the formats openvino, pt2, saved_model and stablehlo hold more.'
        )


def load(path):
    """A function from a batch to the outputs, run by onnxruntime."""
    return Runner(path)


def read_metadata(path):
    """What export said about the model; None for a file of others."""
    import onnx

    properties = {entry.key: entry.value for entry in onnx.load(path, load_external_data=False).metadata_props}
    return json.loads(properties[METADATA_KEY]) if METADATA_KEY in properties else None


class Runner:
    """Runs an ONNX file on the CPU, with a thread for each core that the process may use."""

    def __init__(self, path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = available_cores()
        # Warnings about the machine it runs on are none of a user's concern.
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
        (taken,) = self._session.get_inputs()
        self._name = taken.name
        self.input_shape = tuple(side if isinstance(side, int) else None for side in taken.shape)
        self.input_dtype = {"tensor(uint8)": "uint8"}.get(taken.type, "float32")

    def __call__(self, batch):
        """Outputs of a batch, as a NumPy array."""
        return self._session.run(None, {self._name: np.ascontiguousarray(batch, self.input_dtype)})[0]


def available_cores():
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
