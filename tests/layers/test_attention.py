"""RelativeMultiHeadSelfAttention against its equation, one query at a time."""

import keras
import numpy as np
import oracle
import pytest
from agreement import assert_close, filled, outputs
from running import image, run, to_numpy

from keras_coatnet.layers import RelativeMultiHeadSelfAttention

SHAPE = (2, 3, 4, 6)
HEADS, HEAD_DIM = 2, 5
PLACES = pytest.mark.parametrize("bias_place", ["before_softmax", "after_softmax"])


def attention(**arguments):
    return RelativeMultiHeadSelfAttention(HEADS, head_dim=HEAD_DIM, name="layer", **arguments)


@PLACES
def test_output_with_a_table(bias_place):
    layer = filled(attention(bias_place=bias_place), SHAPE)
    found, x = outputs(layer, SHAPE)
    table = oracle.values(layer.relative_position_bias.relative_position_bias_table)
    bias = oracle.table_bias(table, *SHAPE[1:3])
    assert_close(found, oracle.attention(layer, x, HEADS, HEAD_DIM, bias, bias_place == "after_softmax"))


@PLACES
def test_output_with_a_network(bias_place):
    layer = filled(attention(relative_position="mlp", mlp_hidden_width=7, bias_place=bias_place), SHAPE)
    found, x = outputs(layer, SHAPE)
    bias = oracle.network_bias(layer.relative_position_bias, *SHAPE[1:3])
    assert_close(found, oracle.attention(layer, x, HEADS, HEAD_DIM, bias, bias_place == "after_softmax"))


def test_output_without_positions_or_biases_in_another_width():
    layer = filled(attention(relative_position=None, output_width=9, qkv_bias=False, output_bias=False), SHAPE)
    found, x = outputs(layer, SHAPE)
    assert found.shape == (2, 3, 4, 9)
    assert_close(found, oracle.attention(layer, x, HEADS, HEAD_DIM))
    assert [weight.path for weight in layer.weights] == ["layer/qkv/kernel", "layer/projection/kernel"]


def test_without_positions_the_order_of_pixels_does_not_matter():
    layer = filled(attention(relative_position=None), SHAPE)
    x = image(SHAPE)
    order = np.random.default_rng(3).permutation(12)
    shuffled = x.reshape(2, 12, 6)[:, order].reshape(SHAPE)
    assert_close(run(layer, shuffled).reshape(2, 12, 6), run(layer, x).reshape(2, 12, 6)[:, order])


def test_one_pixel_attends_to_itself():
    layer = filled(attention(), (2, 1, 1, 6))
    found, x = outputs(layer, (2, 1, 1, 6))
    v = oracle.dense(layer.qkv, x).reshape(2, 1, 1, HEADS, 3, HEAD_DIM)[..., 2, :]
    assert_close(found, oracle.dense(layer.projection, v.reshape(2, 1, 1, -1)))


@PLACES
def test_softmax_is_taken_in_float32(bias_place):
    """A constant on all logits, far beyond float16's steps, changes nothing."""
    arguments = {"bias_place": bias_place, "dtype": "mixed_float16"}
    layer = filled(attention(**arguments), SHAPE)
    x = image(SHAPE)
    plain = run(layer, x)
    bias = layer.relative_position_bias.relative_position_bias_table
    if bias_place == "before_softmax":
        bias.assign(bias.value + 4096.0)
        np.testing.assert_allclose(run(layer, x), plain, rtol=0, atol=2e-3 * np.abs(plain).max())
    else:
        assert np.isfinite(plain).all()


def test_attention_dropout_acts_on_the_attention_map_alone():
    """With one pixel the map is 1: dropped, only the projection's bias is left; kept, v is scaled by 1 / (1 - rate)."""
    layer = filled(attention(attention_dropout_rate=0.5), (16, 1, 1, 6))
    x = image((16, 1, 1, 6))
    v = oracle.dense(layer.qkv, x.astype("float64")).reshape(16, HEADS, 3, HEAD_DIM)[:, :, 2]
    kept_choices = [
        oracle.dense(layer.projection, (v * np.array(kept)[:, None] * 2).reshape(16, -1))
        for kept in ([0, 0], [0, 1], [1, 0], [1, 1])
    ]
    found = run(layer, x, training=True).reshape(16, 6)
    distances = np.stack([np.abs(found - choice).max(axis=1) for choice in kept_choices])
    assert (distances.min(axis=0) < 1e-5).all()
    assert len(set(distances.argmin(axis=0))) > 1


def test_output_dropout_acts_behind_the_projection():
    layer = filled(attention(dropout_rate=0.5), SHAPE)
    x = image(SHAPE)
    resting, training = run(layer, x), run(layer, x, training=True)
    dropped = training == 0
    assert 0.2 < dropped.mean() < 0.8
    assert_close(training[~dropped], 2 * resting[~dropped])


def test_heads_are_not_folded_into_the_batch_and_rank_stays_four(monkeypatch):
    ranks = []
    for name in ("reshape", "transpose", "matmul"):
        original = getattr(keras.ops, name)
        monkeypatch.setattr(
            keras.ops, name, lambda *args, original=original, **kwargs: _recorded(original(*args, **kwargs), ranks)
        )
    run(filled(attention(), SHAPE), image(SHAPE))
    assert ranks
    assert max(len(shape) for shape in ranks) <= 4
    assert all(shape[0] in (SHAPE[0], HEADS, 12, 12 * 12) for shape in ranks if len(shape) > 1)


def _recorded(tensor, ranks):
    ranks.append(tuple(tensor.shape))
    return tensor


def test_table_stays_float32_under_a_mixed_policy():
    layer = filled(attention(dtype="mixed_float16"), SHAPE)
    table = layer.relative_position_bias.relative_position_bias_table
    assert table.dtype == "float32"
    assert keras.backend.standardize_dtype(layer.relative_position_bias(to_tensor(image(SHAPE))).dtype) == "float32"


def to_tensor(x):
    return keras.ops.convert_to_tensor(x)


def test_trainable_table_starts_at_zero_unless_told():
    layer = attention()
    layer.build(SHAPE)
    assert not to_numpy(layer.relative_position_bias.relative_position_bias_table.value).any()
    layer = attention(table_initializer="ones")
    layer.build(SHAPE)
    assert (to_numpy(layer.relative_position_bias.relative_position_bias_table.value) == 1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0}, r"num_heads must be a whole number of at least 1; got 0\."),
        ({"num_heads": -2}, r"num_heads must be a whole number of at least 1; got -2\."),
        ({"num_heads": 1.5}, r"num_heads must be a whole number of at least 1; got 1\.5\."),
        ({"num_heads": 2, "head_dim": 0}, r"head_dim must be a whole number of at least 1; got 0\."),
        (
            {"num_heads": 2, "relative_position": "tabel"},
            r"relative_position must be one of 'table', 'mlp', 'constant', None; got 'tabel'\. Nearest: 'table'\.",
        ),
        (
            {"num_heads": 2, "bias_place": "inside"},
            r"bias_place must be one of 'before_softmax', 'after_softmax'; got 'inside'\.",
        ),
        (
            {"num_heads": 2, "table_resize": "bicubic"},
            r"table_resize must be one of 'bilinear', 'geometric'; got 'bicubic'\.",
        ),
        (
            {"num_heads": 2, "attention_dropout_rate": 1.0},
            r"attention_dropout_rate must be at least 0 and below 1; got 1\.0\.",
        ),
        ({"num_heads": 2, "dropout_rate": -0.1}, r"dropout_rate must be at least 0 and below 1; got -0\.1\."),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        RelativeMultiHeadSelfAttention(**arguments)
