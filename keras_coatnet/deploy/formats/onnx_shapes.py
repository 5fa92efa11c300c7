"""Reshapes that copy the batch instead of working it out, so that runtimes know which maps have one shape."""

import numpy as np

from keras_coatnet.deploy.formats.onnx_graph import Editor, constant_of, sides_of


def keep_batch(graph):
    """Write 0, "as it is", for the -1 of each Reshape that touches no open batch."""
    editor = Editor(graph)
    for node in graph:
        shape = constant_of(node.inputs[1]) if node.op_type == "Reshape" else None
        before = None if shape is None else sides_of(node.inputs[0])
        if not before or before[0] is not None or None in before[1:] or shape[0] != -1 or 0 in shape:
            continue
        if np.prod(before[1:]) == np.prod(shape[1:]):
            node.replace_input_with(1, editor.constant(np.concatenate([[0], shape[1:]]).astype("int64")))
            node.attributes.pop("allowzero", None)
