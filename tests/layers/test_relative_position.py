"""Relative positions: the index, the table and its grid, the network over log offsets."""

import h5py
import keras
import numpy as np
import oracle
import pytest
from agreement import assert_close, filled
from hypothesis import given
from hypothesis import strategies as st
from running import BACKEND, image, run, to_numpy

from keras_coatnet.layers import ConstantPositionBias, LogOffsetPositionBias, RelativePositionBiasTable
from keras_coatnet.layers.relative_position import (
    log_offsets,
    log_offsets_in_graph,
    offset_count,
    relative_position_index,
    relative_position_index_in_graph,
)
from keras_coatnet.layers.table_resize import resize_table

sides = st.tuples(st.integers(1, 6), st.integers(1, 6))


def test_index_of_every_pair_of_pixels():
    height, width = 3, 4
    index = relative_position_index(height, width)
    assert index.shape == (12, 12)
    assert index.dtype == np.int32
    for y in range(height):
        for x in range(width):
            for other_y in range(height):
                for other_x in range(width):
                    row = (y - other_y + height - 1) * (2 * width - 1) + (x - other_x + width - 1)
                    assert index[y * width + x, other_y * width + other_x] == row


@given(sides)
def test_index_depends_on_the_offset_only_and_names_each_once(grid):
    height, width = grid
    index = relative_position_index(height, width)
    tokens = np.arange(height * width)
    offsets = np.stack(
        [
            tokens[:, None] // width - tokens[None, :] // width,
            tokens[:, None] % width - tokens[None, :] % width,
        ],
        axis=-1,
    ).reshape(-1, 2)
    pairs = {(tuple(offset), row) for offset, row in zip(offsets.tolist(), index.ravel().tolist(), strict=True)}
    assert len(pairs) == len({offset for offset, _ in pairs}) == len({row for _, row in pairs}) == offset_count(grid)
    assert {row for _, row in pairs} == set(range(offset_count(grid)))


@given(sides)
def test_index_turns_around_when_query_and_key_change_places(grid):
    index = relative_position_index(*grid)
    np.testing.assert_array_equal(index + index.T, offset_count(grid) - 1)


@pytest.mark.parametrize("grid", [(1, 1), (3, 4), (5, 2)])
def test_index_and_offsets_in_the_graph_are_the_constants(grid):
    def in_graph(height, width):
        return relative_position_index_in_graph(height, width), log_offsets_in_graph(height, width)

    if BACKEND == "tensorflow":
        import tensorflow as tf

        in_graph = tf.function(in_graph)
        grid_tensors = [tf.constant(side) for side in grid]
        index, offsets = in_graph(*grid_tensors)
    else:
        index, offsets = in_graph(*grid)
    np.testing.assert_array_equal(to_numpy(index), relative_position_index(*grid))
    np.testing.assert_allclose(to_numpy(offsets), log_offsets(*grid), rtol=1e-6)


def test_log_offsets_follow_the_table_s_order():
    offsets = log_offsets(2, 3)
    assert offsets.shape == (15, 2)
    expected = [
        (np.copysign(np.log1p(abs(dy)), dy), np.copysign(np.log1p(abs(dx)), dx))
        for dy in (-1, 0, 1)
        for dx in (-2, -1, 0, 1, 2)
    ]
    np.testing.assert_allclose(offsets, expected, rtol=1e-6, atol=1e-7)


SHAPE = (2, 3, 4, 5)


def test_table_is_spread_over_all_pairs():
    layer = filled(RelativePositionBiasTable(2, name="layer"), SHAPE)
    table = layer.relative_position_bias_table
    assert (table.name, tuple(table.shape)) == ("relative_position_bias_table", (35, 2))
    assert_close(run(layer, image(SHAPE)), oracle.table_bias(oracle.values(table), 3, 4), 0)


def test_network_is_spread_over_all_pairs():
    layer = filled(LogOffsetPositionBias(2, hidden_width=7, name="layer"), SHAPE)
    assert_close(run(layer, image(SHAPE)), oracle.network_bias(layer, 3, 4))


def test_network_has_no_size_of_its_own():
    layer = filled(LogOffsetPositionBias(2, hidden_width=7, name="layer"), (None, None, None, 5))
    for grid in ((2, 5), (4, 3)):
        assert_close(run(layer, image((1, *grid, 5))), oracle.network_bias(layer, *grid))


@pytest.mark.parametrize("rule", ["bilinear", "geometric"])
@pytest.mark.parametrize("grid", [(3, 4), (2, 6), (5, 5), (1, 2)])
def test_map_of_another_size_sees_the_table_resized(rule, grid):
    layer = filled(RelativePositionBiasTable(2, grid=(4, 3), resize=rule, name="layer"), (None, None, None, 5))
    table = oracle.values(layer.relative_position_bias_table)
    resized = resize_table(table, (4, 3), grid, rule).astype("float64")
    assert_close(run(layer, image((1, *grid, 5))), oracle.table_bias(resized, *grid))


def model_of(layer, sides):
    inputs = keras.Input((*sides, 5))
    return keras.Model(inputs, layer(inputs))


def saved_table(tmp_path, grid=(4, 3)):
    """(path of a weights file, its table)."""
    model = model_of(filled(RelativePositionBiasTable(2, name="table"), (None, *grid, 5)), grid)
    path = tmp_path / "table.weights.h5"
    model.save_weights(path)
    return path, to_numpy(model.weights[0].value)


def test_file_stores_the_table_and_its_grid(tmp_path):
    path, table = saved_table(tmp_path)
    with h5py.File(path) as file:
        stored = file["layers/relative_position_bias_table/vars"]
        assert sorted(stored) == ["0", "grid"]
        np.testing.assert_array_equal(stored["0"], table)
        assert list(stored["grid"]) == [4, 3]


@pytest.mark.parametrize("rule", ["bilinear", "geometric"])
def test_file_of_another_grid_is_resized_once_on_a_map_of_fixed_size(rule, tmp_path):
    path, table = saved_table(tmp_path)
    layer = RelativePositionBiasTable(2, resize=rule, name="other")
    model_of(layer, (2, 5)).load_weights(path)
    assert layer.table_grid == (2, 5)
    expected = resize_table(table, (4, 3), (2, 5), rule)
    np.testing.assert_array_equal(to_numpy(layer.relative_position_bias_table.value), expected)


def test_file_of_another_grid_brings_its_grid_to_a_map_of_open_size(tmp_path):
    path, table = saved_table(tmp_path)
    layer = RelativePositionBiasTable(2, grid=(7, 7), name="other")
    model = model_of(layer, (None, None))
    model.load_weights(path)
    assert layer.table_grid == layer.get_config()["grid"] == (4, 3)
    np.testing.assert_array_equal(to_numpy(layer.relative_position_bias_table.value), table)
    assert [tuple(weight.shape) for weight in model.weights] == [(35, 2)]
    assert len(model.trainable_variables) == 1
    assert_close(run(model, image((1, 4, 3, 5))), oracle.table_bias(table.astype("float64"), 4, 3), 0)


def test_new_variable_is_trained_and_saved_again(tmp_path):
    path, _ = saved_table(tmp_path)
    layer = RelativePositionBiasTable(2, grid=(7, 7), name="other")
    model = model_of(layer, (None, None))
    model.load_weights(path)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = to_numpy(layer.relative_position_bias_table.value).copy()
    model.fit(image((2, 4, 3, 5)), np.zeros((2, 12, 12), "float32"), verbose=0)
    after = to_numpy(layer.relative_position_bias_table.value)
    assert np.abs(after - before).max() > 0
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").get_layer("other")
    assert loaded.table_grid == (4, 3)
    np.testing.assert_array_equal(to_numpy(loaded.relative_position_bias_table.value), after)


def test_store_without_a_grid_is_read_as_one_of_the_layer_s_own():
    layer = filled(RelativePositionBiasTable(2, name="layer"), SHAPE)
    table = image((35, 2), seed=4)
    layer.load_own_variables({"0": table})
    np.testing.assert_array_equal(to_numpy(layer.relative_position_bias_table.value), table)


def test_store_without_a_table_is_refused():
    layer = filled(RelativePositionBiasTable(2, name="layer"), SHAPE)
    with pytest.raises(ValueError, match=r"'layer' found no relative_position_bias_table in the file"):
        layer.load_own_variables({"grid": np.array([3, 4])})


def test_open_sides_without_a_grid_are_refused():
    with pytest.raises(ValueError, match=r"needs a grid for its table; got an input of shape \(None, 4, None, 5\)"):
        RelativePositionBiasTable(2).build((None, 4, None, 5))


def test_table_of_the_wrong_shape_is_refused():
    layer = filled(RelativePositionBiasTable(2, name="layer"), SHAPE)
    with pytest.raises(ValueError, match=r"4x3 map and 2 heads has the shape \(35, 2\); got \(35, 3\)"):
        layer.assign_table(np.zeros((35, 3), "float32"), (4, 3))


@pytest.mark.parametrize("layer", [RelativePositionBiasTable, LogOffsetPositionBias])
def test_zero_heads_are_refused(layer):
    with pytest.raises(ValueError, match=r"num_heads must be a whole number of at least 1; got 0\."):
        layer(0)


def test_unknown_rule_is_refused():
    with pytest.raises(ValueError, match=r"resize must be one of 'bilinear', 'geometric'; got 'nearest'"):
        RelativePositionBiasTable(2, resize="nearest")


def test_rate_of_one_is_refused():
    with pytest.raises(ValueError, match=r"dropout_rate must be at least 0 and below 1; got 1\.0\."):
        LogOffsetPositionBias(2, dropout_rate=1.0)


def test_constant_bias_is_given_as_it_is_and_not_trained():
    layer = ConstantPositionBias(2)
    layer.build((None, 2, 3, 8))
    values = image((2, 6, 6))
    layer.set_weights([values])
    assert layer.trainable_weights == []
    np.testing.assert_array_equal(run(layer, image((1, 2, 3, 8))), values)


def test_constant_bias_needs_a_map_of_one_size():
    with pytest.raises(ValueError, match=r"maps of one size; got an input of shape \(None, None, 3, 8\)"):
        ConstantPositionBias(2).build((None, None, 3, 8))
