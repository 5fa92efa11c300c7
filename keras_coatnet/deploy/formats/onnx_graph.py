"""Small steps that every rewriting of an ONNX graph is made of: constants, new nodes, who reads what."""

import numpy as np

# Constants above this size are weights, which no two nodes share; smaller ones are stored once.
SHARED_BYTES = 1 << 20


class Editor:
    """Adds nodes and constants to a graph.

    Args:
        graph: `onnx_ir.Graph`, sorted by dependence.
    """

    def __init__(self, graph):
        self.graph = graph
        self._shared = {}

    def constant(self, array):
        """An initialiser that holds `array`; small equal ones are the same."""
        import onnx_ir as ir

        array = np.ascontiguousarray(array)
        key = (str(array.dtype), array.shape, array.tobytes()) if array.nbytes <= SHARED_BYTES else None
        if key in self._shared:
            return self._shared[key]
        name = self._new_name("constant")
        value = ir.Value(
            name=name,
            shape=ir.Shape(array.shape),
            type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
            const_value=ir.tensor(array, name=name),
        )
        self.graph.register_initializer(value)
        if key is not None:
            self._shared[key] = value
        return value

    def node(self, place, operator, inputs, attributes=None, shape=None, outputs=1):
        """A node of new values in front of the node `place` (None: at the end); its output, or a list of several."""
        import onnx_ir as ir

        inputs = [self.constant(value) if isinstance(value, np.ndarray) else value for value in inputs]
        values = [
            ir.Value(
                name=self._new_name(operator.lower()),
                shape=None if shape is None else ir.Shape(self._with_batch(shape)),
                type=next((value.type for value in inputs if value is not None), None),
            )
            for _ in range(outputs)
        ]
        node = ir.node(operator, inputs, attributes, outputs=values, name=self._new_name(operator))
        if place is None:
            self.graph.append(node)
        else:
            self.graph.insert_before(place, node)
        return values if outputs > 1 else values[0]

    def _with_batch(self, shape):
        """The sides, with the name that the graph's input has for an open batch."""
        batch = self.graph.inputs[0].shape[0]
        return [batch if axis == 0 and side is None else side for axis, side in enumerate(shape)]

    def replace(self, old, new):
        """Have every reader of the value `old`, the graph's own outputs too, read `new`."""
        old.replace_all_uses_with(new, replace_graph_outputs=True)

    def _new_name(self, stem):
        # Counted over all editors of a graph; the exporter's own names have no slash.
        number = self.graph.meta["new_names"] = self.graph.meta.get("new_names", 0) + 1
        return f"{stem}/{number}"


def constant_of(value):
    """The array of an initialiser; None of any other value."""
    if value is None or value.const_value is None or value.is_graph_input():
        return None
    return value.const_value.numpy()


def sides_of(value):
    """Shape of a value: a list of integers and None; None where the rank is unknown."""
    if value is None or value.shape is None:
        return None
    return [side if isinstance(side, int) else None for side in value.shape]


def rank_of(value):
    sides = sides_of(value)
    return None if sides is None else len(sides)


def only_reader(value):
    """The node that alone reads a value; None where there are several or none, or the value leaves the graph."""
    readers = value.uses()
    if value.is_graph_output() or len(readers) != 1:
        return None
    return readers[0].node


def attribute(node, name, default=None):
    """Value of a node's attribute."""
    return node.attributes[name].value if name in node.attributes else default


def permutation(node):
    """The permutation of a Transpose node; None of any other node."""
    if node is None or node.op_type != "Transpose":
        return None
    return tuple(attribute(node, "perm", ()))


def split_operands(node):
    """(value, constant array, whether the constant comes second) of a node with one constant among two inputs."""
    if node is None or len(node.inputs) != 2:
        return None
    first, second = (constant_of(value) for value in node.inputs)
    if (first is None) == (second is None):
        return None
    return (node.inputs[0], second, True) if second is not None else (node.inputs[1], first, False)
