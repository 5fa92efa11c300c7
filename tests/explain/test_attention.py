"""What attention layers look at in a whole model, and how much reaches its end."""

import keras
import numpy as np
import pytest
from coat_twins import filled as coat
from explained_models import SHAPE, SIDES, coatnet, noise

import keras_coatnet as kc
from keras_coatnet import explain
from keras_coatnet.explain.attention import roll_out, shrink

pytestmark = pytest.mark.usefixtures("quick")

NAMES = ["stage2_block1/attention", "stage3_block1/attention", "stage3_block2/attention"]


@pytest.fixture(scope="module")
def model():
    return coatnet()


@pytest.fixture(scope="module")
def maps(model):
    return explain.attention_maps(model, [noise(seed=1), noise(seed=2)])


def test_every_layer_gives_its_map_in_order(maps):
    assert list(maps) == NAMES
    assert maps[NAMES[0]].weights.shape == (2, 2, *SIDES["stage2"], *SIDES["stage2"])
    assert maps[NAMES[1]].from_pixel(1, 2).shape == (2, 2, *SIDES["stage3"])


def test_rows_of_attention_add_up_to_one(maps):
    for found in maps.values():
        np.testing.assert_allclose(found.weights.sum((-2, -1)), 1, atol=1e-5)


def test_pictures_are_looked_at_one_by_one(model, maps):
    alone = explain.attention_maps(model, noise(seed=2), "stage2*")
    assert list(alone) == NAMES[:1]
    np.testing.assert_allclose(alone[NAMES[0]].weights[0], maps[NAMES[0]].weights[1], atol=1e-5)


def test_fused_model_looks_at_the_same(model, maps):
    fused = explain.attention_maps(kc.fuse(model), [noise(seed=1), noise(seed=2)])
    assert list(fused) == NAMES
    for name in NAMES:
        np.testing.assert_allclose(fused[name].weights, maps[name].weights, atol=1e-4)


@pytest.mark.parametrize("options", [{"dtype": "mixed_bfloat16"}, {"input_shape": (None, None, 3)}])
def test_rows_add_up_to_one_in_half_precision_and_at_any_size(options):
    found = explain.attention_maps(coatnet(**options), noise(), "stage3_block2*")[NAMES[2]]
    assert found.weights.dtype == np.float32
    np.testing.assert_allclose(found.weights.sum((-2, -1)), 1, atol=0.02)


def test_layers_are_found_inside_models_within():
    base = coatnet(include_top=False, pooling="avg")
    model = keras.Sequential([keras.Input(SHAPE), base, keras.layers.Dense(2, activation="softmax")])
    assert list(explain.attention_maps(model, noise())) == NAMES


def test_a_coat_says_what_its_channels_gather(monkeypatch):
    found = explain.attention_maps(coat("coat_mini"), noise())
    parallel = [f"parallel_block{block}/attention{scale}" for block in (1, 2) for scale in (2, 3, 4)]
    assert list(found)[-6:] == parallel
    first = found["stage1_block1/attention"]
    assert first.sides == (16, 24)
    shares = first.keys.sum((2, 3))
    assert shares.max() < 1  # the class token has the rest
    assert np.asarray(first.from_pixel(3, 5)).shape == (1, 8, 16, 24)
    monkeypatch.setattr("keras_coatnet.explain.attention.attention_maps", lambda *_: found)
    with pytest.raises(ValueError, match=r"Rollout needs attention from pixel to pixel; stage1_block1/attention of "):
        explain.attention_rollout(coat("coat_mini"), noise())


def test_unknown_layer_is_refused_with_those_that_there_are(model):
    with pytest.raises(ValueError, match=r"matches 'stage1\*'\. Attention layers: stage2_block1/attention, stage3_bl"):
        explain.attention_maps(model, noise(), "stage1*")


def test_rollout_of_a_model_adds_up_to_one(model):
    reached = explain.attention_rollout(model, [noise(seed=1), noise(seed=2)])
    assert reached.shape == (2, *SIDES["stage2"])
    assert reached.min() > 0
    np.testing.assert_allclose(reached.sum((1, 2)), 1, atol=1e-5)
    assert explain.attention_rollout(model, noise(), "stage3*").shape == (1, *SIDES["stage3"])


def random_attention(sides, seed):
    pixels = sides[0] * sides[1]
    weights = np.random.default_rng(seed).random((1, 2, pixels, pixels))
    return (weights / weights.sum(-1, keepdims=True)).reshape(1, 2, *sides, *sides).astype("float32")


@pytest.mark.backend_free
def test_rollout_is_the_product_of_layers_with_their_shortcuts():
    first, second = random_attention((2, 4), 0), random_attention((1, 2), 1)
    shares = [0.5 * np.eye(n) + 0.5 * each.mean(1).reshape(n, n) for n, each in ((8, first), (2, second))]
    # 2 x 4 pixels in windows of 2 x 2: the left and the right half.
    halves = np.array([[1, 1, 0, 0, 1, 1, 0, 0], [0, 0, 1, 1, 0, 0, 1, 1]]) / 4
    expected = (shares[1] @ halves @ shares[0]).mean(0).reshape(1, 2, 4)
    np.testing.assert_allclose(roll_out([first, second], 0.5), expected, atol=1e-6)


@pytest.mark.backend_free
def test_rollout_through_attention_to_one_pixel_lights_that_pixel():
    weights = np.zeros((1, 1, 2, 3, 2, 3), "float32")
    weights[..., 1, 2] = 1
    reached = roll_out([weights] * 3, residual=0.5)
    assert reached[0, 1, 2] == pytest.approx(1 - (5 / 6) * 0.5**3)


@pytest.mark.backend_free
def test_biases_behind_the_softmax_leave_shares():
    weights = np.full((1, 1, 1, 2, 1, 2), 0.9, "float32")
    weights[..., 0] = -0.4
    np.testing.assert_allclose(roll_out([weights], residual=0), [[[0, 1]]])


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("length", "shorter", "windows"),
    [
        (4, 2, [[0, 1], [2, 3]]),
        (7, 4, [[0, 1], [2, 3], [4, 5], [6]]),
        (7, 3, [[0, 1], [2, 3], [4, 5]]),
        (2, 2, [[0], [1]]),
    ],
)
def test_maps_shrink_by_windows_as_wide_as_their_step(length, shorter, windows):
    expected = np.zeros((shorter, length))
    for row, window in enumerate(windows):
        expected[row, window] = 1 / len(window)
    np.testing.assert_allclose(shrink((1, length), (1, shorter)), expected, atol=1e-7)


def test_residual_of_one_is_refused(model):
    with pytest.raises(ValueError, match=r"residual must be at least 0 and below 1; got 1\."):
        explain.attention_rollout(model, noise(), residual=1)
