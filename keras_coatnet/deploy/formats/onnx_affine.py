"""Chains of per-channel sums and products, what a batch norm is exported as, fold into the linear map before them.

y = s * (W x + b) + t is one linear map of weights s W and bias s b + t. Where no linear map comes before, a product
and a sum are left of the chain.
"""

import numpy as np

from keras_coatnet.deploy.formats.onnx_graph import (
    Editor,
    attribute,
    constant_of,
    only_reader,
    permutation,
    sides_of,
    split_operands,
)

NHWC = (0, 2, 3, 1)


def fold_affine_chains(graph):
    """Fold every chain of per-channel arithmetic on maps (B, H, W, C)."""
    editor, done = Editor(graph), set()
    for node in list(graph):
        if node in done or _step(node) is None:
            continue
        chain = _chain(node)
        done.update(chain)
        x, scale, shift = _compose(chain)
        last = chain[-1]
        y = _into_linear(editor, last, x, scale, shift)
        if y is None and len(chain) > 1:
            y = scaled_and_shifted(editor, last, x, scale, shift)
        if y is not None:
            editor.replace(last.outputs[0], y)


def _step(node):
    """(input, scale, shift), float64 arrays of C entries, of one per-channel sum or product; else None."""
    operands = split_operands(node) if node.op_type in ("Add", "Sub", "Mul", "Div") else None
    if operands is None:
        return None
    x, constant, comes_second = operands
    sides = sides_of(x)
    if sides is None or len(sides) != 4 or sides[-1] is None or constant.dtype.kind != "f":
        return None
    channels = sides[-1]
    if constant.ndim > 4 or (constant.size != 1 and (constant.shape[-1] != channels or constant.size != channels)):
        return None
    if node.op_type == "Div" and not comes_second:
        return None
    values = np.broadcast_to(constant.astype("float64").ravel(), (channels,))
    ones, zeros = np.ones(channels), np.zeros(channels)
    if node.op_type == "Add":
        return x, ones, values
    if node.op_type == "Sub":
        return (x, ones, -values) if comes_second else (x, -ones, values)
    return (x, values if node.op_type == "Mul" else 1.0 / values, zeros)


def _chain(node):
    """The node and those after it, each the only reader of the one before."""
    chain = [node]
    while True:
        reader = only_reader(chain[-1].outputs[0])
        step = None if reader is None else _step(reader)
        if step is None or step[0] is not chain[-1].outputs[0]:
            return chain
        chain.append(reader)


def _compose(chain):
    x, scale, shift = _step(chain[0])
    for node in chain[1:]:
        _, factor, term = _step(node)
        scale, shift = scale * factor, shift * factor + term
    return x, scale, shift


def scaled_and_shifted(editor, place, x, scale, shift):
    """x * scale + shift, without what does nothing."""
    if np.any(scale != 1.0):
        x = editor.node(place, "Mul", [x, scale.astype("float32")], shape=sides_of(x))
    if np.any(shift != 0.0):
        x = editor.node(place, "Add", [x, shift.astype("float32")], shape=sides_of(x))
    return x


def _into_linear(editor, place, x, scale, shift):
    """The value of the chain, all of it in the linear map that gives `x`; None where another node reads `x`."""
    node = x.producer()
    if node is None or only_reader(x) is None:
        return None
    if node.op_type == "MatMul":
        return _into_matmul(editor, place, node, scale, shift)
    if permutation(node) == NHWC and only_reader(node.inputs[0]) is not None:
        convolution = node.inputs[0].producer()
        if convolution is not None and convolution.op_type == "Conv":
            return _into_convolution(editor, place, convolution, scale, shift)
    return None


def _into_matmul(editor, place, node, scale, shift):
    kernel = constant_of(node.inputs[1])
    if kernel is None or kernel.ndim != 2:
        return None
    x = node.inputs[0]
    if np.any(scale != 1.0):
        kernel = (kernel * scale).astype("float32")
        y = editor.node(place, "MatMul", [x, kernel], shape=sides_of(node.outputs[0]))
    else:
        y = node.outputs[0]
    return scaled_and_shifted(editor, place, y, np.ones_like(scale), shift)


def _into_convolution(editor, place, node, scale, shift):
    kernel = constant_of(node.inputs[1])
    bias = constant_of(node.inputs[2]) if len(node.inputs) > 2 else np.zeros(len(scale))
    if kernel is None or bias is None:
        return None
    kernel = (kernel * scale[:, None, None, None]).astype("float32")
    bias = (bias * scale + shift).astype("float32")
    attributes = {name: attribute(node, name) for name in node.attributes}
    y = editor.node(place, "Conv", [node.inputs[0], kernel, bias], attributes, shape=sides_of(node.outputs[0]))
    channels_first = sides_of(node.outputs[0])
    return editor.node(place, "Transpose", [y], {"perm": NHWC}, shape=[channels_first[axis] for axis in NHWC])
