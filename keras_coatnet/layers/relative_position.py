"""Relative positions of the pixels of a map: index, tables, and what happens to a table when the map changes its size.

A map of H x W pixels has (2H-1) x (2W-1) offsets. The row of a table for query (y, x) and key (y', x') is
(y - y' + H - 1) * (2W - 1) + (x - x' + W - 1)  (CoAtNet, section 2.1; timm's order too).
"""

import functools

import keras
import numpy as np
from keras import ops

from keras_coatnet.layers.arguments import check_choice, check_counts, check_rates
from keras_coatnet.layers.composite import CompositeLayer
from keras_coatnet.layers.dropout import Dropout
from keras_coatnet.layers.fast import torch_forms
from keras_coatnet.layers.fast.forward import runs_natively
from keras_coatnet.layers.initializers import Constant, get_initializer, serialize_initializer
from keras_coatnet.layers.pointwise import pointwise
from keras_coatnet.layers.table_resize import RULES, resize_table, resize_table_in_graph


@functools.lru_cache(maxsize=32)
def relative_position_index(height, width):
    """Row of the table for every query and key, as a constant.

    Returns: int32 array (H * W, H * W), kept for the next call: do not write to it.
    """
    rows, columns = (axis.ravel() for axis in np.mgrid[:height, :width])
    row_offsets = rows[:, None] - rows[None, :] + height - 1
    column_offsets = columns[:, None] - columns[None, :] + width - 1
    return (row_offsets * (2 * width - 1) + column_offsets).astype("int32")


def relative_position_index_in_graph(height, width):
    """The same for sides that are known when the graph runs."""
    tokens = ops.arange(height * width, dtype="int32")
    rows, columns = tokens // width, tokens % width
    row_offsets = ops.expand_dims(rows, 1) - ops.expand_dims(rows, 0) + height - 1
    column_offsets = ops.expand_dims(columns, 1) - ops.expand_dims(columns, 0) + width - 1
    return row_offsets * (2 * width - 1) + column_offsets


def is_static(height, width):
    """Whether both sides are numbers now, not tensors of a graph that runs later."""
    return isinstance(height, int) and isinstance(width, int)


def known_sides(layer, sides):
    """`sides` (H, W), where None is those of the map that a layer was built for; a ValueError where these are open."""
    built = layer.get_build_config()["input_shape"][1:3]
    if sides is None and None in built:
        raise ValueError(f"{layer.path} belongs to maps of any size: sides must say one, (H, W); got None.")
    return tuple(built if sides is None else sides)


def offset_count(grid):
    """Number of offsets of a map with sides `grid`, (2H-1)(2W-1)."""
    return (2 * grid[0] - 1) * (2 * grid[1] - 1)


class RelativePositionBias(CompositeLayer):
    """Base of the two biases: rows of values, one an offset, spread over all pairs of pixels by one gather."""

    def __init__(self, num_heads, **kwargs):
        super().__init__(**kwargs)
        check_counts(num_heads=num_heads)
        self.num_heads = num_heads

    def values(self, height, width, training):
        """(offsets, heads) for a map of these sides."""
        raise NotImplementedError

    def call(self, x, training=None):
        height, width = ops.shape(x)[1], ops.shape(x)[2]
        values = self.values(height, width, training)
        # One axis and axis 0: the only gather that every exporter of every backend takes.
        if not is_static(height, width):
            bias = ops.take(values, ops.reshape(relative_position_index_in_graph(height, width), (-1,)), axis=0)
        elif runs_natively(values):
            bias = torch_forms.take_rows(values, relative_position_index(height, width).reshape(-1))
        else:
            bias = ops.take(values, relative_position_index(height, width).reshape(-1), axis=0)
        tokens = height * width
        return ops.transpose(ops.reshape(bias, (tokens, tokens, self.num_heads)), (2, 0, 1))

    def offset_values(self, sides=None):
        """The values as pictures, see `known_sides`. Shapes: -> (heads, 2H-1, 2W-1), no offset in the middle"""
        height, width = known_sides(self, sides)
        values = ops.transpose(self.values(height, width, training=False))
        return ops.reshape(values, (self.num_heads, 2 * height - 1, 2 * width - 1))

    def compute_output_shape(self, input_shape):
        _, height, width, _ = input_shape
        tokens = None if height is None or width is None else height * width
        return (self.num_heads, tokens, tokens)

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads}


@keras.saving.register_keras_serializable(package="keras_coatnet")
class RelativePositionBiasTable(RelativePositionBias):
    """A trainable value for every offset and head.

    The table belongs to a grid. A map of another size sees it resized in the graph; loading a file whose table has
    another grid resizes it once on the way in, or, where the map's size is open, takes the file's own grid.

    Args:
        num_heads: heads of the attention.
        grid: (H, W) of the table; None is the map's size at build.
        resize: rule for other sizes, "bilinear" or "geometric" (see `resize_table`).
        initializer: of the table.

    Shapes: (B, H, W, C) -> (heads, H * W, H * W); only the sides of the input are used.
    Raises: ValueError for an unknown rule, for open sides without a grid, for a file's table that is none.
    Source: CoAtNet, arXiv 2106.04803, section 2.1.
    """

    def __init__(self, num_heads, grid=None, resize="bilinear", initializer=None, **kwargs):
        super().__init__(num_heads, **kwargs)
        check_choice("resize", resize, RULES)
        self.grid = None if grid is None else tuple(grid)
        self.resize = resize
        self.initializer = initializer

    def build(self, input_shape):
        sides = tuple(input_shape[1:3])
        if self.grid is None and None in sides:
            raise ValueError(
                f"A map with open sides needs a grid for its table; got an input of shape {tuple(input_shape)}."
            )
        self.map_is_static = None not in sides
        self.table_grid = self.grid or sides
        self._add_table()

    def _add_table(self):
        self.relative_position_bias_table = self.add_weight(
            name="relative_position_bias_table",
            shape=(offset_count(self.table_grid), self.num_heads),
            initializer=Constant(0.0) if self.initializer is None else get_initializer(self.initializer),
            trainable=True,
            # Added to float32 logits, so there is nothing to win by rounding it.
            autocast=False,
        )

    def values(self, height, width, training):
        if is_static(height, width) and (height, width) == self.table_grid:
            return ops.convert_to_tensor(self.relative_position_bias_table)
        return resize_table_in_graph(self.relative_position_bias_table, self.table_grid, (height, width), self.resize)

    def offset_values(self, sides=None):
        return super().offset_values(self.table_grid if sides is None else sides)

    def compute_output_spec(self, x, training=None):
        # The table keeps its own dtype in half precision too.
        return keras.KerasTensor(self.compute_output_shape(x.shape), dtype=self.variable_dtype)

    def assign_table(self, table, grid, rule=None):
        """Take a table of `grid`, resized by `rule` (None: the layer's own) where the map has another fixed size."""
        if table.shape != (offset_count(grid), self.num_heads):
            raise ValueError(
                f"A table for a {grid[0]}x{grid[1]} map and {self.num_heads} heads has the shape "
                f"{(offset_count(grid), self.num_heads)}; got {tuple(table.shape)}."
            )
        if grid != self.table_grid:
            if self.map_is_static:
                table = resize_table(table, grid, self.table_grid, rule or self.resize)
            else:
                self._set_grid(grid)
        self.relative_position_bias_table.assign(table)

    def _set_grid(self, grid):
        """Make the variable anew in the shape of another grid."""
        self._tracker.unlock()
        self._untrack_variable(self.relative_position_bias_table)
        self.grid = self.table_grid = grid
        self._add_table()
        self._tracker.lock()

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["grid"] = np.array(self.table_grid, "int32")

    def load_own_variables(self, store):
        if "0" not in store:
            raise ValueError(f"Layer {self.name!r} found no relative_position_bias_table in the file.")
        grid = tuple(int(side) for side in store["grid"]) if "grid" in store else self.table_grid
        self.assign_table(np.asarray(store["0"]), grid)

    def get_config(self):
        return {
            **super().get_config(),
            "grid": self.grid,
            "resize": self.resize,
            "initializer": serialize_initializer(self.initializer),
        }


def log_offsets(height, width):
    """Coordinates (dy, dx) of every offset as sign(d) * ln(1 + |d|), in a table's order: float32 ((2H-1)(2W-1), 2)."""
    offsets = np.stack(np.mgrid[1 - height : height, 1 - width : width], axis=-1).reshape(-1, 2).astype("float32")
    return np.sign(offsets) * np.log1p(np.abs(offsets))


def log_offsets_in_graph(height, width):
    """The same for sides that are known when the graph runs."""
    rows = ops.cast(ops.arange(1 - height, height, dtype="int32"), "float32")
    columns = ops.cast(ops.arange(1 - width, width, dtype="int32"), "float32")
    shape = (2 * height - 1, 2 * width - 1)
    rows = ops.broadcast_to(ops.expand_dims(rows, 1), shape)
    columns = ops.broadcast_to(ops.expand_dims(columns, 0), shape)
    offsets = ops.stack([ops.reshape(rows, (-1,)), ops.reshape(columns, (-1,))], axis=-1)
    return ops.sign(offsets) * ops.log(1.0 + ops.abs(offsets))


@keras.saving.register_keras_serializable(package="keras_coatnet")
class LogOffsetPositionBias(RelativePositionBias):
    """A small network that turns the logarithm of an offset into a value a head: any map size, nothing to resize.

    bias = W2 relu(W1 (sign(d) ln(1 + |d|)) + b1) + b2 with d = (dy, dx).

    Args:
        num_heads: heads of the attention.
        hidden_width: of the network.
        dropout_rate: on the hidden layer, in training.
        kernel_initializer: for both kernels.

    Shapes: (B, H, W, C) -> (heads, H * W, H * W); only the sides of the input are used.
    Source: timm's RelPosMlp (mode "cr"), after Swin Transformer V2, arXiv 2111.09883, section 3.3.
    """

    def __init__(self, num_heads, hidden_width=512, dropout_rate=0.125, kernel_initializer=None, **kwargs):
        super().__init__(num_heads, **kwargs)
        check_counts(hidden_width=hidden_width)
        check_rates(dropout_rate=dropout_rate)
        self.hidden_width = hidden_width
        self.dropout_rate = dropout_rate
        self.kernel_initializer = kernel_initializer

    def build(self, input_shape):
        options = {"use_bias": True, "kernel_initializer": self.kernel_initializer, "dtype": self.dtype_policy}
        self.hidden = pointwise(self.hidden_width, name="hidden", **options)
        self.dropout = Dropout(self.dropout_rate, name="dropout", dtype=self.dtype_policy)
        self.output_values = pointwise(self.num_heads, name="output_values", **options)
        self.hidden.build((None, 2))
        self.output_values.build((None, self.hidden_width))

    def values(self, height, width, training):
        if is_static(height, width):
            offsets = ops.convert_to_tensor(log_offsets(height, width))
        else:
            offsets = log_offsets_in_graph(height, width)
        hidden = ops.relu(self.hidden(ops.cast(offsets, self.compute_dtype)))
        return self.output_values(self.dropout(hidden, training=training))

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_width": self.hidden_width,
            "dropout_rate": self.dropout_rate,
            "kernel_initializer": serialize_initializer(self.kernel_initializer),
        }
