"""Attention in few nodes: one Split into q, k and v, and reshapes that keep the batch as it is."""

import numpy as np

from keras_coatnet.deploy.formats.onnx_graph import Editor, constant_of, sides_of


def split_once(graph):
    """Replace slices that part a value along its last axis into equal pieces, in order, by one Split."""
    editor = Editor(graph)
    for value in [output for node in graph for output in node.outputs]:
        slices = [_slice(use.node) for use in value.uses()]
        if len(slices) < 2 or None in slices:
            continue
        slices.sort(key=lambda part: part[0])
        width = sides_of(value)[-1] / len(slices)
        if [part[:2] for part in slices] != [(n * width, (n + 1) * width) for n in range(len(slices))]:
            continue
        shape = [*sides_of(value)[:-1], int(width)]
        attributes = {"axis": -1, "num_outputs": len(slices)}
        first = min((part[2] for part in slices), key=list(graph).index)
        parts = editor.node(first, "Split", [value], attributes, shape=shape, outputs=len(slices))
        for part, (_, _, node) in zip(parts, slices, strict=True):
            editor.replace(node.outputs[0], part)


def _slice(node):
    """(start, stop, node) of a Slice along the last axis; None of any other node."""
    bounds = [constant_of(bound) for bound in node.inputs[1:]]
    sides = sides_of(node.inputs[0])
    if node.op_type != "Slice" or len(bounds) < 3 or any(bound is None or bound.size != 1 for bound in bounds):
        return None
    start, stop, axis = (int(bound.item()) for bound in bounds[:3])
    if sides is None or sides[-1] is None or axis % len(sides) != len(sides) - 1:
        return None
    if len(bounds) > 3 and bounds[3].item() != 1:
        return None
    return start, min(stop, sides[-1]), node


def keep_batch(graph):
    """Have each Reshape that only works out the batch copy it: runtimes then know that residuals have one shape."""
    editor = Editor(graph)
    for node in graph:
        shape = constant_of(node.inputs[1]) if node.op_type == "Reshape" else None
        before = None if shape is None else sides_of(node.inputs[0])
        if not before or before[0] is not None or None in before[1:] or shape[0] != -1 or 0 in shape:
            continue
        if np.prod(before[1:]) == np.prod(shape[1:]):
            node.replace_input_with(1, editor.constant(np.concatenate([[0], shape[1:]]).astype("int64")))
            node.attributes.pop("allowzero", None)
