"""What attention layers say they look at: held to their outputs, and to their equations pixel by pixel."""

import keras
import numpy as np
import oracle
import pytest
from agreement import assert_close, filled
from running import image, run, to_numpy

from keras_coatnet.layers import (
    ConstantPositionBias,
    ConvRelativePosition,
    FactorizedAttention,
    LogOffsetPositionBias,
    RelativeMultiHeadSelfAttention,
    RelativePositionBiasTable,
)
from keras_coatnet.layers.relative_position import relative_position_index

SHAPE = (2, 3, 4, 6)
HEADS, HEAD_DIM = 2, 5
POSITIONS = pytest.mark.parametrize("relative_position", ["table", "mlp", "constant", None])


def attention(**arguments):
    return filled(RelativeMultiHeadSelfAttention(HEADS, head_dim=HEAD_DIM, name="layer", **arguments), SHAPE)


def weights_of(layer, x):
    return to_numpy(layer.attention_map(keras.ops.convert_to_tensor(x)).weights)


@POSITIONS
def test_every_pixel_reads_shares_that_add_up_to_one(relative_position):
    weights = weights_of(attention(relative_position=relative_position), image(SHAPE))
    assert weights.shape == (2, HEADS, 3, 4, 3, 4)
    assert weights.min() > 0
    np.testing.assert_allclose(weights.sum((-2, -1)), 1, atol=1e-6)


@pytest.mark.parametrize("bias_place", ["before_softmax", "after_softmax"])
def test_values_mixed_by_the_map_are_what_the_layer_gives(bias_place):
    layer, x = attention(bias_place=bias_place), image(SHAPE)
    v = oracle.dense(layer.qkv, x.astype("float64")).reshape(2, 3, 4, HEADS, 3, HEAD_DIM)[..., 2, :]
    mixed = np.einsum("bhijyx,byxhd->bijhd", weights_of(layer, x), v).reshape(2, 3, 4, -1)
    assert_close(run(layer, x), oracle.dense(layer.projection, mixed))


def test_pixel_and_all_pixels_are_read_off_the_map():
    found = attention().attention_map(keras.ops.convert_to_tensor(image(SHAPE)))
    weights = to_numpy(found.weights)
    assert found.sides == (3, 4)
    np.testing.assert_array_equal(to_numpy(found.from_pixel(2, 1)), weights[:, :, 2, 1])
    np.testing.assert_allclose(to_numpy(found.overall()), weights.reshape(2, HEADS, 12, 3, 4).mean(2), atol=1e-6)


def factorized():
    layer = filled(FactorizedAttention(HEADS, name="layer"), (2, 13, 8))
    tokens = image((2, 13, 8))
    return layer, tokens, layer.attention_map(keras.ops.convert_to_tensor(tokens), sides=(3, 4))


def test_what_reaches_a_pixel_mixes_values_into_what_the_layer_gives():
    layer, tokens, found = factorized()
    q, k, v = np.split(oracle.dense(layer.qkv, tokens.astype("float64")), 3, axis=-1)
    k = np.exp(k) / np.exp(k).sum(1, keepdims=True)
    shares = to_numpy(found.from_pixel(1, 2))  # token 1 + 4 + 2
    mixed = np.einsum("bhn,bnhe->bhe", shares.reshape(2, HEADS, 12), v[:, 1:].reshape(2, 12, HEADS, 4))
    # The first token reaches the pixel too, though no pixel of the map stands for it.
    of_token = np.einsum("nhd,nhd->nh", *(x.reshape(2, -1, HEADS, 4)[:, i] for x, i in ((q, 7), (k, 0))))
    mixed += of_token[..., None] / 2 * v[:, 0].reshape(2, HEADS, 4)
    expected = oracle.dense(layer.projection, mixed.reshape(2, 8))
    assert_close(run(layer, tokens)[:, 7], expected)


def test_channels_gather_shares_that_add_up_to_one_with_the_class_token():
    layer, tokens, found = factorized()
    assert found.sides == (3, 4)
    k = np.split(oracle.dense(layer.qkv, tokens.astype("float64")), 3, axis=-1)[1]
    token_share = np.exp(k[:, 0]) / np.exp(k).sum(1)
    shares = to_numpy(found.keys).sum((2, 3)).reshape(2, 8)
    np.testing.assert_allclose(shares, 1 - token_share, atol=1e-6)
    np.testing.assert_allclose(to_numpy(found.overall()), to_numpy(found.keys).mean(-1), atol=1e-6)


def test_factorized_map_needs_sides():
    layer, tokens, _ = factorized()
    with pytest.raises(ValueError, match=r"needs the sides \(H, W\) of their map; got sides=None"):
        layer.attention_map(keras.ops.convert_to_tensor(tokens))


@pytest.mark.parametrize("layer", [RelativePositionBiasTable(HEADS), LogOffsetPositionBias(HEADS, hidden_width=7)])
def test_pictures_of_offsets_hold_the_bias_of_every_pair(layer):
    layer = filled(layer, SHAPE)
    pictures = to_numpy(layer.offset_values())
    assert pictures.shape == (HEADS, 5, 7)
    bias = run(layer, image(SHAPE))
    # From pixel (2, 1) to pixel (0, 3): two rows up, two columns to the right.
    np.testing.assert_allclose(bias[:, 2 * 4 + 1, 0 * 4 + 3], pictures[:, 2 + 2, 3 - 2], atol=1e-6)
    np.testing.assert_allclose(bias[:, 5, 5], pictures[:, 2, 3], atol=1e-6)


def test_constants_give_the_table_that_they_were_spread_from():
    layer, table = ConstantPositionBias(HEADS), image((HEADS, 35))
    layer.build(SHAPE)
    layer.set_weights([table[:, relative_position_index(3, 4)]])
    np.testing.assert_array_equal(to_numpy(layer.offset_values()), table.reshape(HEADS, 5, 7))


def test_open_sides_are_asked_for_where_no_table_has_its_own():
    layer = filled(LogOffsetPositionBias(HEADS, hidden_width=7, name="layer"), (2, None, None, 6))
    assert layer.offset_values((2, 3)).shape == (HEADS, 3, 5)
    with pytest.raises(ValueError, match=r"belongs to maps of any size: sides must say one, \(H, W\); got None"):
        layer.offset_values()
    table = filled(RelativePositionBiasTable(HEADS, grid=(3, 4)), (2, None, None, 6))
    assert table.offset_values().shape == (HEADS, 5, 7)
    assert table.offset_values((4, 4)).shape == (HEADS, 7, 7)


def test_windows_are_shown_one_a_head_in_a_frame_of_the_largest():
    layer = filled(ConvRelativePosition(num_heads=3, windows=((3, 1), (5, 2))), (2, 3, 4, 6))
    pictures = to_numpy(layer.offset_values())
    small, large = (oracle.values(getattr(layer, f"window{side}").kernel) for side in (3, 5))
    assert pictures.shape == (3, 5, 5)
    np.testing.assert_allclose(pictures[0, 1:4, 1:4], small[::-1, ::-1, :, 0].mean(-1), atol=1e-6)
    assert not pictures[0, 0].any()
    np.testing.assert_allclose(pictures[2], large[::-1, ::-1, 2:4, 0].mean(-1), atol=1e-6)
