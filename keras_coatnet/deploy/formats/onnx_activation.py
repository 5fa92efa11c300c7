"""GELU as one node: 0.5 x (1 + erf(x / sqrt 2)) as the exporter writes it becomes `Gelu`."""

import math

import numpy as np

from keras_coatnet.deploy.formats.onnx_graph import Editor, only_reader, sides_of, split_operands


def fuse_gelu(graph):
    """Replace every exact GELU that is written out by its operator."""
    editor = Editor(graph)
    for node in list(graph):
        found = _find_gelu(node) if node.op_type == "Erf" else None
        if found is not None:
            x, last = found
            editor.replace(last.outputs[0], editor.node(last, "Gelu", [x], shape=sides_of(x)))


def _find_gelu(erf):
    """(input, last node) of the GELU around an Erf node; None where it is something else."""
    x = _operand(erf.inputs[0].producer(), "Mul", math.sqrt(0.5))
    plus_one = only_reader(erf.outputs[0])
    if x is None or _operand(plus_one, "Add", 1.0) is None:
        return None
    last = only_reader(plus_one.outputs[0])
    if last is None or last.op_type != "Mul":
        return None
    other = last.inputs[0] if last.inputs[1] is plus_one.outputs[0] else last.inputs[1]
    return (x, last) if _operand(other.producer(), "Mul", 0.5) is x else None


def _operand(node, operator, number):
    """The operand of `node` beside a constant that equals `number`."""
    operands = split_operands(node) if node is not None and node.op_type == operator else None
    if operands is None or operands[1].size != 1 or not np.allclose(operands[1], number, rtol=1e-6):
        return None
    return operands[0]
