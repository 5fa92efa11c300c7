"""From channels-last maps to the channels-first ones that ONNX convolutions want, with no transposes around them.

The model computes on maps (B, H, W, C). A Transpose is made only where a reader asks for a layout that a map does not
have yet: at the model's door and between the convolutional and the transformer stages. Linear maps of the channels
become 1x1 convolutions among convolutions, and stay matrix products among transformers: measured, onnxruntime runs both
forms of a transformer equally fast, OpenVINO the product a tenth faster.
"""

import numpy as np

from keras_coatnet.deploy.formats.onnx_graph import (
    Editor,
    attribute,
    constant_of,
    only_reader,
    permutation,
    rank_of,
    sides_of,
    split_operands,
)
from keras_coatnet.deploy.formats.onnx_maps import NCHW, NHWC, Map, Maps, in_layout

# Element by element, so that any layout will do.
UNARY = {"Relu", "Sigmoid", "Gelu", "Tanh", "Erf", "Softplus", "HardSwish", "HardSigmoid", "LeakyRelu", "Elu", "Selu"}
UNARY |= {"Abs", "Neg", "Exp", "Log", "Sqrt", "Reciprocal", "Clip", "Identity"}
BINARY = {"Add", "Sub", "Mul", "Div", "Max", "Min"}


def put_channels_first(graph):
    """Rewrite a graph; nodes that nothing reads any more stay behind."""
    editor = Editor(graph)
    maps = Maps(editor)
    for value in graph.inputs:
        if rank_of(value) == 4:
            maps.add(value, Map(tuple(sides_of(value)), nhwc=value), "nhwc")
    for node in list(graph):
        handler = HANDLERS.get(node.op_type)
        if node.outputs[0] not in maps and (handler is None or not handler(node, maps)):
            _keep(node, maps)
    for value in list(graph.outputs):
        if value in maps:
            editor.replace(value, maps.read(value, None))


def _keep(node, maps):
    """Have a node that knows no layouts read its inputs in the layout it was made for."""
    for index, value in enumerate(node.inputs):
        if value in maps:
            node.replace_input_with(index, maps.read(value, node))


def _transpose(node, maps):
    """Another view of a map; nothing to compute."""
    value, axes = node.inputs[0], permutation(node)
    found, layout = maps.find(value)
    sides = sides_of(value)
    if axes == NCHW and layout in (None, "nhwc"):
        found = found or Map(tuple(sides), nhwc=value)
        maps.add(node.outputs[0], found, "nchw")
    elif axes == NHWC and layout in (None, "nchw"):
        found = found or Map(tuple(sides[axis] for axis in NHWC), nchw=value)
        maps.add(node.outputs[0], found, "nhwc")
    else:
        return False
    return True


def _convolution(node, maps):
    """A convolution or pool; zeros put around its input beforehand become its own padding."""
    found, layout = maps.find(node.inputs[0])
    if layout != "nchw":
        return False
    attributes = {name: attribute(node, name) for name in node.attributes}
    neutral = float("-inf") if node.op_type == "MaxPool" else 0.0
    counts_padding = node.op_type == "AveragePool" and not attribute(node, "count_include_pad", 0)
    explicit = attribute(node, "auto_pad", "NOTSET") == "NOTSET"
    if found.unpadded is not None and found.padding == neutral and explicit and not counts_padding:
        (top, bottom), (left, right) = found.pads
        pads = zip(attributes.get("pads", [0] * 4), (top, left, bottom, right), strict=True)
        attributes["pads"] = [inner + outer for inner, outer in pads]
        found = found.unpadded
    inputs = [maps.nchw(found, node), *node.inputs[1:]]
    shape = sides_of(node.outputs[0])
    value = maps.editor.node(node, node.op_type, inputs, attributes, shape=shape)
    maps.add(node.outputs[0], Map(tuple(shape[axis] for axis in NHWC), nchw=value), "nchw")
    return True


def _linear(node, maps):
    """A product with a constant matrix: with the bias behind it as a 1x1 convolution, or as it is."""
    kernel = constant_of(node.inputs[1])
    found, layout = maps.find(node.inputs[0])
    if layout != "nhwc" or kernel is None or kernel.ndim != 2:
        return False
    sides = (*found.sides[:3], kernel.shape[1])
    if not found.is_channels_first or _leads_to_channels_last(node, found):
        inputs = [maps.nhwc(found, node), node.inputs[1]]
        maps.add(node.outputs[0], Map(sides, nhwc=maps.editor.node(node, "MatMul", inputs, shape=sides)), "nhwc")
        return True
    inputs = [maps.nchw(found, node), np.ascontiguousarray(kernel.T)[:, :, None, None]]
    last = node
    bias = _channel_constant(only_reader(node.outputs[0]), "Add", kernel.shape[1])
    if bias is not None:
        last = only_reader(node.outputs[0])
        inputs.append(bias)
    value = maps.editor.node(node, "Conv", inputs, {"kernel_shape": [1, 1]}, shape=in_layout(sides, True))
    maps.add(last.outputs[0], Map(sides, nchw=value), "nhwc")
    return True


def _leads_to_channels_last(node, found):
    """Whether the nearest reader with a layout of its own wants channels last, and the input is the smaller map."""
    channels, width = found.sides[-1], sides_of(node.outputs[0])[-1]
    if channels > width or found.sides[1:3] == (1, 1):
        return False
    values = node.outputs
    while values:
        readers = [use.node for value in values for use in value.uses()]
        if any(reader.op_type in ("Transpose", "Pad", "ReduceMean") for reader in readers):
            return False
        if any(reader.op_type in ("LayerNormalization", "Reshape") for reader in readers):
            return True
        values = [reader.outputs[0] for reader in readers if reader.op_type in UNARY | BINARY]
    return False


def _channel_constant(node, operator, channels):
    """The constant, one number a channel, of a sum or product with a channels-last map; else None."""
    operands = split_operands(node) if node is not None and node.op_type == operator else None
    if operands is None or operands[1].size != channels or operands[1].shape[-1:] != (channels,):
        return None
    return operands[1].reshape(channels)


def _unary(node, maps):
    found, layout = maps.find(node.inputs[0])
    if found is None:
        return False
    _compute(node, maps, [found, *node.inputs[1:]], layout)
    return True


def _binary(node, maps):
    """Arithmetic of maps and of constants, one number or one number a channel."""
    operands = [maps.find(value) for value in node.inputs]
    layouts = {layout for found, layout in operands if found is not None}
    if len(layouts) != 1:
        return False
    layout, inputs = layouts.pop(), []
    for value, (found, _) in zip(node.inputs, operands, strict=True):
        constant = constant_of(value) if found is None else None
        if found is None and not _is_channel_wise(constant, layout):
            return False
        inputs.append(constant if found is None else found)
    if _normalization(node, maps, inputs, layout):
        return True
    _compute(node, maps, inputs, layout)
    return True


def _is_channel_wise(constant, layout):
    """Whether an operand is a constant of one number, or of one a channel of a channels-last map."""
    if constant is None or constant.size == 1:
        return constant is not None
    return layout == "nhwc" and constant.ndim <= 4 and constant.size == constant.shape[-1]


def _normalization(node, maps, inputs, layout):
    """A product and a sum with numbers of each channel: what is left of a batch norm, and is one again."""
    if node.op_type != "Mul" or layout != "nhwc" or not isinstance(inputs[0], Map):
        return False
    found = inputs[0]
    channels = found.sides[-1]
    reader = only_reader(node.outputs[0])
    scale, shift = _channel_constant(node, "Mul", channels), _channel_constant(reader, "Add", channels)
    if not found.is_channels_first or scale is None or shift is None:
        return False
    mean, variance = np.zeros(channels, "float32"), np.ones(channels, "float32")
    inputs = [maps.nchw(found, node), scale, shift, mean, variance]
    shape = in_layout(found.sides, True)
    value = maps.editor.node(node, "BatchNormalization", inputs, {"epsilon": 1e-12}, shape=shape)
    maps.add(reader.outputs[0], Map(found.sides, nchw=value), "nhwc")
    return True


def _compute(node, maps, inputs, layout):
    """The node's work in the layout that its maps have; `inputs` are maps, arrays and other values."""
    first = all(value.is_channels_first for value in inputs if isinstance(value, Map))
    values = []
    for value in inputs:
        if isinstance(value, Map):
            value = maps.nchw(value, node) if first else maps.nhwc(value, node)
        elif isinstance(value, np.ndarray) and value.size > 1:
            value = value.reshape((-1, 1, 1) if first else -1)
        values.append(value)
    sides = sides_of(node.outputs[0])
    sides = tuple(sides) if layout == "nhwc" else tuple(sides[axis] for axis in NHWC)
    attributes = {name: attribute(node, name) for name in node.attributes}
    value = maps.editor.node(node, node.op_type, values, attributes, shape=in_layout(sides, first))
    maps.add(node.outputs[0], Map(sides, **{"nchw" if first else "nhwc": value}), layout)


def _mean(node, maps):
    """A mean over the pixels of a map that is channels first."""
    found, layout = maps.find(node.inputs[0])
    axes = constant_of(node.inputs[1]) if len(node.inputs) > 1 else None
    if layout != "nhwc" or axes is None or sorted(axes % 4) != [1, 2] or not found.is_channels_first:
        return False
    x = maps.nchw(found, node)
    sides = (found.sides[0], 1, 1, found.sides[3])
    if attribute(node, "keepdims", 1):
        value = maps.editor.node(node, "GlobalAveragePool", [x], shape=in_layout(sides, True))
        maps.add(node.outputs[0], Map(sides, nchw=value), "nhwc")
    else:
        inputs = [x, np.array([2, 3], "int64")]
        value = maps.editor.node(node, "ReduceMean", inputs, {"keepdims": 0}, shape=(sides[0], sides[3]))
        maps.editor.replace(node.outputs[0], value)
    return True


def _pad(node, maps):
    """Kept in mind, for a convolution or pool to do it."""
    found, layout = maps.find(node.inputs[0])
    pads = constant_of(node.inputs[1])
    number = constant_of(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else np.zeros(())
    if layout != "nhwc" or pads is None or number is None or attribute(node, "mode", "constant") != "constant":
        return False
    before, after = pads.reshape(2, -1).tolist()
    if len(node.inputs) > 3 or len(before) != 4 or before[0] or after[0] or before[3] or after[3]:
        return False
    pads = ((before[1], after[1]), (before[2], after[2]))
    padded = Map(tuple(sides_of(node.outputs[0])), unpadded=found, pads=pads, padding=float(number))
    maps.add(node.outputs[0], padded, "nhwc")
    return True


def _layer_normalization(node, maps):
    found, layout = maps.find(node.inputs[0])
    if layout != "nhwc" or attribute(node, "axis", -1) not in (-1, 3):
        return False
    attributes = {name: attribute(node, name) for name in node.attributes}
    inputs = [maps.nhwc(found, node), *node.inputs[1:]]
    value = maps.editor.node(node, "LayerNormalization", inputs, attributes, shape=found.sides)
    maps.add(node.outputs[0], Map(found.sides, nhwc=value), "nhwc")
    return True


HANDLERS = {
    "Transpose": _transpose,
    "Conv": _convolution,
    "AveragePool": _convolution,
    "MaxPool": _convolution,
    "MatMul": _linear,
    "ReduceMean": _mean,
    "Pad": _pad,
    "LayerNormalization": _layer_normalization,
    **dict.fromkeys(UNARY, _unary),
    **dict.fromkeys(BINARY, _binary),
}
