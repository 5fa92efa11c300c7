"""DropPath: its mask, its rate, its random state."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from running import image, run

from keras_coatnet.layers import DropPath

SHAPE = (64, 3, 2)


def test_inference_is_the_identity():
    x = image(SHAPE)
    np.testing.assert_array_equal(run(DropPath(0.9), x), x)


def test_rate_zero_is_the_identity_in_training():
    x = image(SHAPE)
    np.testing.assert_array_equal(run(DropPath(0.0), x, training=True), x)


@pytest.mark.parametrize("shape", [(64,), (64, 5), (64, 3, 2, 4)])
def test_training_drops_or_scales_whole_samples(shape):
    x = 1 + np.abs(image(shape))
    y = run(DropPath(0.25, seed=1), x, training=True).reshape(64, -1)
    x = x.reshape(64, -1)
    dropped = (y == 0).all(axis=1)
    assert 0 < dropped.sum() < 64
    np.testing.assert_allclose(y[~dropped], x[~dropped] / 0.75, rtol=1e-6)


@settings(max_examples=10)
@given(rate=st.sampled_from([0.05, 0.2, 0.5, 0.8]), seed=st.integers(0, 1000))
def test_share_of_dropped_samples_is_the_rate(rate, seed):
    samples = 4000
    y = run(DropPath(rate, seed=seed), np.ones((samples, 1), "float32"), training=True)
    # Five standard deviations of a binomial share.
    assert abs((y == 0).mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / samples)
    assert abs(y.mean() - 1) < 5 * np.sqrt(rate / (1 - rate) / samples)


def test_calls_differ_and_a_seed_repeats_them():
    first, second = DropPath(0.5, seed=3), DropPath(0.5, seed=3)
    x = np.ones(SHAPE, "float32")
    draws = [run(first, x, training=True) for _ in range(3)]
    assert np.abs(draws[0] - draws[1]).max() > 0
    for draw in draws:
        np.testing.assert_array_equal(run(second, x, training=True), draw)


def test_random_state_is_written_and_read():
    saved, resumed = DropPath(0.5), DropPath(0.5)
    x = np.ones(SHAPE, "float32")
    run(saved, x, training=True)
    store = {}
    saved.save_own_variables(store)
    assert list(store) == ["seed"]
    resumed.load_own_variables(store)
    np.testing.assert_array_equal(run(resumed, x, training=True), run(saved, x, training=True))


def test_store_without_state_leaves_the_layer_as_it_is():
    layer, twin = DropPath(0.5, seed=2), DropPath(0.5, seed=2)
    layer.load_own_variables({})
    x = np.ones(SHAPE, "float32")
    np.testing.assert_array_equal(run(layer, x, training=True), run(twin, x, training=True))


def test_kept_samples_stay_finite_in_float16():
    y = run(DropPath(0.5, seed=1, dtype="float16"), np.full((64, 2), 30000.0, "float32"), training=True)
    assert np.isfinite(y).all()
    assert set(np.unique(y)) == {0.0, 60000.0}


@pytest.mark.parametrize("rate", [1.0, -0.1, 2, "0.1"])
def test_rate_outside_its_range_is_refused(rate):
    with pytest.raises(ValueError, match=rf"rate must be at least 0 and below 1; got {rate!r}\."):
        DropPath(rate)
