"""What a LiteRT file is made of: its operators, read with the format's own schema."""

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor of a file: its name, its shape (an open side is -1) and the name of its type, as "FLOAT32" or "INT8"."""

    name: str
    shape: tuple
    type: str

    @property
    def rank(self):
        return len(self.shape)


@dataclasses.dataclass(frozen=True)
class Operator:
    """An operator of a file.

    Args:
        name: the schema's name of a builtin, or the operator's own.
        is_custom: whether it is no builtin, as TensorFlow's (Flex) are.
        inputs, outputs: its tensors.
        options: the schema's record of its options.
    """

    name: str
    is_custom: bool
    inputs: tuple
    outputs: tuple
    options: object


def read_operators(file):
    """All operators of a file in the order they run, over all subgraphs.

    Args:
        file: its path, or its bytes.

    Returns: list of `Operator`.
    """
    from ai_edge_litert import schema_py_generated as schema

    content = file if isinstance(file, bytes) else Path(file).read_bytes()
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    builtins = _names(schema.BuiltinOperator)
    types = _names(schema.TensorType)
    codes = [_code(code, builtins) for code in model.operatorCodes]
    operators = []
    for graph in model.subgraphs:
        tensors = [_tensor(tensor, types) for tensor in graph.tensors]
        for operator in graph.operators or ():
            name, is_custom = codes[operator.opcodeIndex]
            inputs, outputs = (
                tuple(tensors[index] for index in indices if index >= 0)
                for indices in (operator.inputs, operator.outputs)
            )
            operators.append(Operator(name, is_custom, inputs, outputs, operator.builtinOptions))
    return operators


def _names(enumeration):
    return {value: name for name, value in vars(enumeration).items() if not name.startswith("_")}


def _code(code, builtins):
    """(name, is_custom) of an operator code; the first 127 are where old readers look for them."""
    if code.customCode:
        return code.customCode.decode(), True
    return builtins[max(code.builtinCode, code.deprecatedBuiltinCode)], False


def _tensor(tensor, types):
    shape = tensor.shapeSignature if tensor.shapeSignature is not None else tensor.shape
    return Tensor(
        tensor.name.decode(), tuple(int(side) for side in (shape if shape is not None else ())), types[tensor.type]
    )
