"""A relative-position table for a map of another size: the two rules the peers use, on arrays and in the graph.

Both are linear interpolation along each axis; they differ in where the wanted offsets fall between the table's own.
"""

import itertools

import numpy as np
from keras import ops

from keras_coatnet.layers.arguments import check_choice

RULES = ("bilinear", "geometric")


def resize_table(table, grid, new_grid, rule="bilinear"):
    """Resize a table.

    Args:
        table: array ((2H-1)(2W-1), heads) for a map of H x W pixels.
        grid: (H, W).
        new_grid: (H', W').
        rule: "bilinear": an image resize with half-pixel centres, no antialias (keras_cv_attention_models; the paper
            names bilinear interpolation and no more). "geometric": source offsets at 0, 1, 1 + q, 1 + q + q^2, ... with
            q such that they span the wanted ones, so that near offsets keep their values (timm, after BEiT).

    Returns: float32 array ((2H'-1)(2W'-1), heads); the same values where the grids are equal.
    Raises: ValueError for an unknown rule.
    """
    check_choice("rule", rule, RULES)
    if tuple(grid) == tuple(new_grid):
        return np.asarray(table)
    lengths, new_lengths = ([2 * side - 1 for side in sides] for sides in (grid, new_grid))
    image = np.asarray(table, "float32").reshape(*lengths, -1)
    for axis in (0, 1):
        positions = source_positions(lengths[axis], new_lengths[axis], rule)
        low = np.floor(positions).astype("int64")
        high = np.minimum(low + 1, lengths[axis] - 1)
        share = (positions - low).astype("float32").reshape([-1 if a == axis else 1 for a in range(3)])
        low_values, high_values = image.take(low, axis), image.take(high, axis)
        image = low_values + (high_values - low_values) * share
    return image.reshape(-1, image.shape[-1])


def source_positions(length, new_length, rule):
    """Where each of `new_length` wanted entries falls among `length` own ones: float64 in [0, length - 1]."""
    if rule == "bilinear":
        positions = (np.arange(new_length) + 0.5) * (length / new_length) - 0.5
        return np.clip(positions, 0, length - 1)
    sources = geometric_offsets(length, new_length)
    wanted = np.arange(new_length) - new_length // 2
    # Edge values hold outside the sources' span: np.interp clamps.
    return np.interp(wanted, sources, np.arange(length))


def geometric_offsets(length, new_length):
    """Offsets of the `length` entries of a table on the scale of the new one, growing by the ratio q a step."""
    ratio = geometric_ratio(length // 2, new_length // 2)
    reach = np.cumsum(ratio ** np.arange(length // 2))
    return np.concatenate([-reach[::-1], [0.0], reach])


def geometric_ratio(steps, reach):
    """q in [1.01, 1.5] with 1 + q + ... + q^(steps-1) as near to `reach` as bisection to 1e-6 brings it."""
    low, high = 1.01, 1.5
    while high - low > 1e-6:
        ratio = (low + high) / 2
        if (1 - ratio**steps) / (1 - ratio) > reach:
            high = ratio
        else:
            low = ratio
    return ratio


def resize_table_in_graph(table, grid, new_grid, rule):
    """`resize_table` on tensors, for sides that may be known only when the graph runs.

    Only gathers on axis 0 of a 2-D table, which every exporter takes, and element-wise work, which no accelerator
    rounds.
    """
    table = ops.convert_to_tensor(table)
    if all(isinstance(side, int) for side in new_grid):
        positions = [
            np.asarray(source_positions(2 * side - 1, 2 * new - 1, rule))
            for side, new in zip(grid, new_grid, strict=True)
        ]
        lows = [np.floor(axis).astype("int32") for axis in positions]
        shares = [(axis - low).astype("float32") for axis, low in zip(positions, lows, strict=True)]
    else:
        lows, shares = _positions_in_graph(grid, new_grid, rule)
    width = 2 * grid[1] - 1
    values = []
    for row_step, column_step in ((0, 0), (0, 1), (1, 0), (1, 1)):
        rows = ops.minimum(lows[0] + row_step, 2 * grid[0] - 2)
        columns = ops.minimum(lows[1] + column_step, width - 1)
        index = ops.expand_dims(rows * width, 1) + ops.expand_dims(columns, 0)
        values.append(ops.take(table, ops.reshape(index, (-1,)), axis=0))
    row_share, column_share = (ops.cast(ops.convert_to_tensor(share), table.dtype) for share in shares)
    offsets = (2 * new_grid[0] - 1, 2 * new_grid[1] - 1)
    row_share = ops.reshape(ops.broadcast_to(ops.expand_dims(row_share, 1), offsets), (-1, 1))
    column_share = ops.reshape(ops.broadcast_to(ops.expand_dims(column_share, 0), offsets), (-1, 1))
    upper = values[0] + (values[1] - values[0]) * column_share
    lower = values[2] + (values[3] - values[2]) * column_share
    return upper + (lower - upper) * row_share


def _positions_in_graph(grid, new_grid, rule):
    """Integer and fractional part of `source_positions` along both axes, as tensors."""
    same = ops.logical_and(ops.equal(new_grid[0], grid[0]), ops.equal(new_grid[1], grid[1]))
    lows, shares = [], []
    for side, new_side in zip(grid, new_grid, strict=True):
        length, new_length = 2 * side - 1, 2 * new_side - 1
        if rule == "bilinear":
            steps = ops.cast(ops.arange(new_length, dtype="int32"), "float64")
            positions = (steps + 0.5) * (length / ops.cast(new_length, "float64")) - 0.5
        else:
            # The rule moves offsets even where one axis keeps its length; only an unchanged map is left alone.
            positions = ops.where(
                same,
                ops.cast(ops.arange(new_length, dtype="int32"), "float64"),
                _geometric_positions_in_graph(length, new_side - 1),
            )
        positions = ops.clip(positions, 0, length - 1)
        low = ops.floor(positions)
        lows.append(ops.cast(low, "int32"))
        shares.append(ops.cast(positions - low, "float32"))
    return lows, shares


def _geometric_positions_in_graph(length, reach):
    """`source_positions` by the geometric rule for `reach` wanted offsets either side of zero, as a float64 tensor."""
    steps = length // 2
    wanted = ops.cast(ops.arange(-reach, reach + 1, dtype="int32"), "float64")
    ratio = _geometric_ratio_in_graph(steps, ops.cast(reach, "float64"))
    sources = [ops.zeros((), "float64")]
    for step in range(steps):
        sources.append(sources[-1] + ratio**step)
    sources = [-source for source in reversed(sources[1:])] + sources
    # Piecewise linear: every segment adds the part of it that lies below the wanted offset.
    positions = ops.zeros_like(wanted)
    for left, right in itertools.pairwise(sources):
        positions = positions + ops.clip((wanted - left) / (right - left), 0.0, 1.0)
    return positions


def _geometric_ratio_in_graph(steps, reach):
    low, high = ops.full((), 1.01, "float64"), ops.full((), 1.5, "float64")
    ratio, interval = low, 1.5 - 1.01
    while interval > 1e-6:
        ratio, interval = (low + high) / 2, interval / 2
        too_far = (1 - ratio**steps) / (1 - ratio) > reach
        low, high = ops.where(too_far, low, ratio), ops.where(too_far, ratio, high)
    return ratio
