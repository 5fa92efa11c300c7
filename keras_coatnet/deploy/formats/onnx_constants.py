"""Computes, when a file is written, what depends on constants alone."""

import numpy as np

from keras_coatnet.deploy.formats.onnx_graph import Editor, constant_of


def fold_constants(graph):
    """Replace nodes of constant inputs by their values.

    Gathers stay: a table of relative positions and its index are many times smaller than what they spread to.
    """
    editor = Editor(graph)
    for node in list(graph):
        constants = [constant_of(value) for value in node.inputs if value is not None]
        if node.op_type == "Gather":
            _narrow_index(editor, node)
        elif constants and all(constant is not None for constant in constants):
            for old, new in zip(node.outputs, _evaluate(node, constants), strict=True):
                editor.replace(old, editor.constant(new))
            graph.remove(node, safe=True)


def _narrow_index(editor, node):
    """Store a constant index in four bytes an entry instead of eight."""
    index = constant_of(node.inputs[1])
    if index is not None and index.dtype == np.int64 and index.size > 1:
        node.replace_input_with(1, editor.constant(index.astype("int32")))


def _evaluate(node, constants):
    import onnx
    import onnx_ir as ir
    from onnx.reference import ReferenceEvaluator

    proto = ir.serde.serialize_node(node)
    names = list(dict.fromkeys(name for name in proto.input if name))
    given = {value.name: constant_of(value) for value in node.inputs if value is not None}
    inputs = [onnx.helper.make_tensor_value_info(name, _element_type(given[name]), given[name].shape) for name in names]
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in proto.output]
    graph = onnx.helper.make_graph([proto], "constant", inputs, outputs)
    opset = onnx.helper.make_opsetid("", node.graph.opset_imports[""])
    return ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=[opset])).run(None, given)


def _element_type(array):
    import onnx

    return onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
