"""Attention in few nodes: one Split into q, k and v, and heads that need no transposing on channels-first maps."""

import dataclasses

import numpy as np

from keras_coatnet.deploy.formats.onnx_graph import Editor, constant_of, only_reader, permutation, sides_of

NCHW, NHWC, HEADS_FIRST, LAST_TWO = (0, 3, 1, 2), (0, 2, 3, 1), (0, 2, 1, 3), (0, 1, 3, 2)


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


@dataclasses.dataclass
class Attention:
    """The values and nodes of one attention as the layer exports it, after `split_once`."""

    joint: object  # (B, H, W, heads * 3 d): q, k and v, head by head
    split: object  # the node that parts (B, heads, N, 3 d)
    product: object  # the node q transpose(k)
    mixing: object  # the node weights v
    last: object  # the node whose output is the map (B, H, W, heads * d)


def put_channels_first(graph):
    """Rewrite every attention of the form that `RelativeMultiHeadSelfAttention` has.

    With q, k, v of (B, heads, d, N), blocks of channels of a channels-first map, the logits are transpose(q) k and the
    result v transpose(weights), again such a map. Runtimes multiply transposed operands at no cost.
    """
    editor = Editor(graph)
    for node in list(graph):
        found = _find(node) if node.op_type == "Split" else None
        if found is not None:
            _rewrite(editor, found)


def _rewrite(editor, found):
    batch, height, width, _ = sides_of(found.joint)
    _, heads, tokens, d = sides_of(found.split.outputs[0])

    def add(place, operator, inputs, shape, attributes=None, **options):
        return editor.node(place, operator, inputs, attributes, shape=(batch, *shape), **options)

    place, length = found.split, 3 * heads * d
    joint = add(place, "Transpose", [found.joint], (length, height, width), {"perm": NCHW})
    joint = add(place, "Reshape", [joint, np.array([0, heads, 3 * d, tokens], "int64")], (heads, 3 * d, tokens))
    options = {"axis": 2, "num_outputs": 3}
    q, k, v = add(place, "Split", [joint], (heads, d, tokens), options, outputs=3)
    q = add(place, "Transpose", [q], (heads, tokens, d), {"perm": LAST_TWO})
    editor.replace(found.split.outputs[0], q)
    editor.replace(found.product.inputs[1], k)
    weights = add(found.last, "Transpose", [found.mixing.inputs[0]], (heads, tokens, tokens), {"perm": LAST_TWO})
    y = add(found.last, "MatMul", [v, weights], (heads, d, tokens))
    shape = np.array([0, heads * d, height, width], "int64")
    y = add(found.last, "Reshape", [y, shape], (heads * d, height, width))
    y = add(found.last, "Transpose", [y], (height, width, heads * d), {"perm": NHWC})
    editor.replace(found.last.outputs[0], y)


def _find(split):
    """The attention that a Split begins; None where it is something else."""
    transposed = split.inputs[0].producer()
    reshape = transposed.inputs[0].producer() if permutation(transposed) == HEADS_FIRST else None
    if reshape is None or reshape.op_type != "Reshape" or len(sides_of(reshape.inputs[0]) or ()) != 4:
        return None
    if len(split.outputs) != 3:
        return None
    key = only_reader(split.outputs[1])
    product = only_reader(key.outputs[0]) if permutation(key) == LAST_TWO else None
    mixing = only_reader(split.outputs[2])
    last = _leaves_heads(mixing)
    if product is None or product.op_type != "MatMul" or product.inputs[1] is not key.outputs[0] or last is None:
        return None
    return Attention(reshape.inputs[0], split, product, mixing, last)


def _leaves_heads(mixing):
    """The Reshape to a map (B, H, W, heads * d) behind the product with v."""
    transposed = only_reader(mixing.outputs[0]) if mixing is not None and mixing.op_type == "MatMul" else None
    reshape = only_reader(transposed.outputs[0]) if permutation(transposed) == HEADS_FIRST else None
    if reshape is None or reshape.op_type != "Reshape" or len(sides_of(reshape.outputs[0]) or ()) != 4:
        return None
    return reshape if constant_of(reshape.inputs[1]) is not None else None
