"""Weights stored in half precision and computed with in single precision: half the size, on every runtime."""

import numpy as np

from keras_coatnet.deploy.formats.onnx_graph import Editor, constant_of

# Norms and biases: little to win, and they are what rounding hurts most.
SMALLEST_SIZE = 1024


def store_in_half(graph):
    """Store every larger float32 constant as float16, behind a Cast that runtimes compute once, on loading."""
    import onnx_ir as ir

    editor = Editor(graph)
    first = graph[0]
    for name, value in list(graph.initializers.items()):
        array = constant_of(value)
        if array.dtype != np.float32 or array.size < SMALLEST_SIZE or np.abs(array).max() > np.finfo("float16").max:
            continue
        half = editor.constant(array.astype("float16"))
        cast = editor.node(first, "Cast", [half], {"to": ir.DataType.FLOAT.value}, shape=array.shape)
        cast.type = ir.TensorType(ir.DataType.FLOAT)
        editor.replace(value, cast)
        del graph.initializers[name]
