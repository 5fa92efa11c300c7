"""Tables for maps of another size: both rules against their definitions, on arrays and in the graph."""

import keras
import numpy as np
import pytest
from agreement import assert_close
from hypothesis import given, settings
from hypothesis import strategies as st
from running import BACKEND, image, run

from keras_coatnet.layers import RelativePositionBiasTable
from keras_coatnet.layers.table_resize import RULES, geometric_offsets, geometric_ratio, resize_table

grids = st.tuples(st.integers(1, 9), st.integers(1, 9))
rules = st.sampled_from(RULES)


def table_for(grid, heads=2, seed=0):
    return image(((2 * grid[0] - 1) * (2 * grid[1] - 1), heads), seed)


def as_image(table, grid):
    return table.reshape(2 * grid[0] - 1, 2 * grid[1] - 1, -1)


def bilinear_oracle(table, grid, new_grid):
    """Every new entry at its half-pixel centre between four old ones, edges held; float64 loops."""
    old = as_image(table.astype("float64"), grid)
    new = np.empty((2 * new_grid[0] - 1, 2 * new_grid[1] - 1, old.shape[2]))
    for row in range(new.shape[0]):
        for column in range(new.shape[1]):
            places = []
            for index, length, new_length in (
                (row, old.shape[0], new.shape[0]),
                (column, old.shape[1], new.shape[1]),
            ):
                position = min(max((index + 0.5) * length / new_length - 0.5, 0.0), length - 1.0)
                low = min(int(position), length - 1)
                places.append((low, min(low + 1, length - 1), position - low))
            (top, bottom, down), (left, right, across) = places
            upper = old[top, left] * (1 - across) + old[top, right] * across
            lower = old[bottom, left] * (1 - across) + old[bottom, right] * across
            new[row, column] = upper * (1 - down) + lower * down
    return new.reshape(-1, new.shape[2])


def geometric_axis(values, side, new_side):
    """One axis of timm's rule, from its description: q by bisection, source positions 0, +-1, +-(1 + q), ..."""
    steps, reach = side - 1, new_side - 1
    low, high, ratio = 1.01, 1.5, 1.01
    while high - low > 1e-6:
        ratio = (low + high) / 2
        if (1 - ratio**steps) / (1 - ratio) > reach:
            high = ratio
        else:
            low = ratio
    sources, position = [0.0], 0.0
    for step in range(steps):
        position += ratio**step
        sources = [-position, *sources, position]
    new = []
    for wanted in range(-reach, reach + 1):
        if wanted <= sources[0]:
            new.append(values[0])
        elif wanted >= sources[-1]:
            new.append(values[-1])
        else:
            after = next(n for n, source in enumerate(sources) if source > wanted)
            share = (wanted - sources[after - 1]) / (sources[after] - sources[after - 1])
            new.append(values[after - 1] * (1 - share) + values[after] * share)
    return np.array(new)


def geometric_oracle(table, grid, new_grid):
    if tuple(grid) == tuple(new_grid):
        return table
    rows = geometric_axis(as_image(table.astype("float64"), grid), grid[0], new_grid[0])
    columns = geometric_axis(rows.transpose(1, 0, 2), grid[1], new_grid[1])
    return columns.transpose(1, 0, 2).reshape(-1, table.shape[1])


ORACLES = {"bilinear": bilinear_oracle, "geometric": geometric_oracle}


@settings(max_examples=60)
@given(grid=grids, new_grid=grids, rule=rules)
def test_resized_table_is_that_of_the_rule(grid, new_grid, rule):
    table = table_for(grid)
    found = resize_table(table, grid, new_grid, rule)
    assert found.dtype == np.float32
    assert_close(found, ORACLES[rule](table, grid, new_grid), 2e-6)


@given(grid=grids, rule=rules)
def test_resize_to_the_same_grid_is_the_identity(grid, rule):
    table = table_for(grid)
    np.testing.assert_array_equal(resize_table(table, grid, grid, rule), table)


@given(grid=grids, new_grid=grids)
def test_bilinear_keeps_offset_zero(grid, new_grid):
    table = table_for(grid)
    found = as_image(resize_table(table, grid, new_grid, "bilinear"), new_grid)
    np.testing.assert_allclose(
        found[new_grid[0] - 1, new_grid[1] - 1], as_image(table, grid)[grid[0] - 1, grid[1] - 1], rtol=1e-5, atol=1e-6
    )


@given(grid=grids, new_grid=grids, rule=rules, axis=st.sampled_from([0, 1]))
def test_resize_commutes_with_flips(grid, new_grid, rule, axis):
    table = table_for(grid)
    flipped = np.flip(as_image(table, grid), axis).reshape(table.shape)
    found = as_image(resize_table(flipped, grid, new_grid, rule), new_grid)
    expected = np.flip(as_image(resize_table(table, grid, new_grid, rule), new_grid), axis)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(table).max())


@given(grid=grids, new_grid=grids, rule=rules)
def test_constant_table_stays_constant(grid, new_grid, rule):
    table = np.full_like(table_for(grid), 1.25)
    np.testing.assert_allclose(resize_table(table, grid, new_grid, rule), 1.25, rtol=1e-6)


@pytest.mark.parametrize(
    ("length", "new_length", "ratio", "last"),
    [
        (27, 31, 1.023493, 15.0),
        (13, 15, 1.061402, None),
        (27, 47, 1.090307, None),
        (13, 23, 1.240724, None),
        (7, 11, 1.499999, 4.75),
        (27, 23, 1.010001, 13.81),
        (27, 11, 1.010001, 13.81),
    ],
)
def test_ratio_is_that_measured_in_timm(length, new_length, ratio, last):
    """timm 1.0.31's own values for these table sides, to the digits noted."""
    assert geometric_ratio(length // 2, new_length // 2) == pytest.approx(ratio, abs=6e-7)
    offsets = geometric_offsets(length, new_length)
    if last is not None:
        assert offsets[-1] == pytest.approx(last, abs=6e-3)
    np.testing.assert_array_equal(offsets, -offsets[::-1])


def test_geometric_rule_keeps_near_offsets_and_moves_an_unchanged_axis_too():
    table = table_for((7, 7), heads=1)
    found = as_image(resize_table(table, (7, 7), (12, 7), "geometric"), (12, 7))[..., 0]
    own = as_image(table, (7, 7))[..., 0]
    np.testing.assert_allclose(found[10:13, 5:8], own[5:8, 5:8], rtol=1e-5, atol=1e-6)
    assert np.abs(found[11] - own[6]).max() > 1e-4


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("open_sides", [True, False], ids=["open", "fixed"])
def test_resize_in_the_graph_is_that_of_arrays(rule, open_sides):
    """With open sides TensorFlow's graph learns them when it runs."""
    grid = (3, 4)
    table = table_for(grid)
    for new_grid in ((3, 4), (5, 2), (2, 7), (3, 6), (1, 1)):
        layer = RelativePositionBiasTable(2, grid=grid, resize=rule, name="layer")
        inputs = keras.Input((*((None, None) if open_sides else new_grid), 1))
        model = keras.Model(inputs, layer(inputs))
        layer.relative_position_bias_table.assign(table)
        found = graph_of(model)(np.zeros((1, *new_grid, 1), "float32"))
        resized = resize_table(table, grid, new_grid, rule)
        # The first query reads the last quarter of the table, the last one the first.
        rows = as_image(resized, new_grid)
        first = rows[: new_grid[0], : new_grid[1]][::-1, ::-1].reshape(-1, 2).T
        last = rows[new_grid[0] - 1 :, new_grid[1] - 1 :][::-1, ::-1].reshape(-1, 2).T
        np.testing.assert_allclose(np.asarray(found)[:, 0], first, rtol=0, atol=1e-6)
        np.testing.assert_allclose(np.asarray(found)[:, -1], last, rtol=0, atol=1e-6)


def graph_of(model):
    if BACKEND != "tensorflow":
        return lambda x: run(model, x)
    import tensorflow as tf

    return tf.function(model, input_signature=[tf.TensorSpec(model.inputs[0].shape, "float32")])


def test_unknown_rule_is_refused():
    with pytest.raises(ValueError, match=r"rule must be one of 'bilinear', 'geometric'; got 'cubic'"):
        resize_table(table_for((2, 3)), (2, 3), (3, 3), "cubic")
