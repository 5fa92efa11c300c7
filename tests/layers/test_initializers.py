"""Initial values: their distributions, their seeds, and that NumPy draws them."""

import keras
import numpy as np
import pytest
from running import to_numpy

from keras_coatnet.layers import ConvNeXtBlock, MBConv
from keras_coatnet.layers.initializers import (
    Constant,
    GlorotUniform,
    Normal,
    NormalFanOut,
    NumPyInitializer,
    UniformFanIn,
    fans,
    get_depthwise_initializer,
    get_initializer,
    serialize_initializer,
    without_initial_values,
)

RANDOM = [Normal(0.5), Normal(0.5, cut=0.5), UniformFanIn(), UniformFanIn(9), GlorotUniform(), NormalFanOut()]


def test_fans_of_a_kernel():
    assert fans((3, 5, 7, 11)) == (105, 165)
    assert fans((7, 11)) == (7, 11)


@pytest.mark.parametrize(
    ("initializer", "shape", "deviation", "limit"),
    [
        (Normal(0.5), (200, 300), 0.5, None),
        (Normal(0.02, cut=0.04), (200, 300), 0.02 * 0.8796, 0.04),
        (UniformFanIn(), (100, 300), 0.1 / np.sqrt(3), 0.1),
        (UniformFanIn(25), (100, 300), 0.2 / np.sqrt(3), 0.2),
        (GlorotUniform(), (100, 500), 0.1 / np.sqrt(3), 0.1),
        (NormalFanOut(), (100, 200), 0.1, None),
        (NormalFanOut(50), (100, 200), 0.2, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, NumPyInitializer) else str(value),
)
def test_values_have_the_spread_of_the_rule(initializer, shape, deviation, limit):
    values = initializer(shape, "float32")
    assert isinstance(values, np.ndarray)
    assert values.dtype == np.float32
    assert values.std() == pytest.approx(deviation, rel=0.02)
    assert abs(values.mean()) < 5 * deviation / np.sqrt(values.size)
    if limit is not None:
        assert 0.95 * limit < np.abs(values).max() <= limit


@pytest.mark.parametrize("initializer", RANDOM, ids=lambda initializer: type(initializer).__name__)
def test_global_seed_decides_and_calls_differ(initializer):
    keras.utils.set_random_seed(7)
    first, second = initializer((4, 5)), initializer((4, 5))
    keras.utils.set_random_seed(7)
    np.testing.assert_array_equal(initializer((4, 5)), first)
    assert np.abs(first - second).max() > 0


def test_own_seed_repeats_the_values():
    np.testing.assert_array_equal(Normal(seed=3)((4, 5)), Normal(seed=3)((4, 5)))


@pytest.mark.parametrize("initializer", [*RANDOM, Constant(0.25)], ids=lambda value: type(value).__name__)
def test_config_round_trip(initializer):
    stored = serialize_initializer(initializer)
    copy = get_initializer(stored)
    assert type(copy) is type(initializer)
    assert copy.get_config() == initializer.get_config()
    assert serialize_initializer(copy) == stored


def test_no_argument_stays_none_in_the_config_and_means_glorot():
    assert serialize_initializer(None) is None
    assert isinstance(get_initializer(None), GlorotUniform)


def test_keras_initializers_are_copied_so_that_two_kernels_differ():
    shared = keras.initializers.RandomNormal()
    first, second = get_initializer(shared)((4, 5)), get_initializer(shared)((4, 5))
    assert np.abs(to_numpy(first) - to_numpy(second)).max() > 0


def test_depthwise_kernels_count_one_channel():
    assert get_depthwise_initializer(UniformFanIn(), (3, 5), 2).fan_in == 15
    assert get_depthwise_initializer(NormalFanOut(), (3, 5), 2).fan_out == 30
    assert get_depthwise_initializer(UniformFanIn(4), (3, 5), 2).fan_in == 4


def test_halves_are_drawn_too():
    values = Normal(0.02)((3, 4), "bfloat16")
    assert values.dtype.name == "bfloat16"
    assert np.abs(values.astype("float32")).max() > 0


def test_no_variable_of_a_layer_is_drawn_by_the_backend(monkeypatch):
    """One compilation an initial shape is what makes JAX slow to start."""

    def refuse(*args, **kwargs):
        raise AssertionError("drawn by the backend")

    for name in ("normal", "uniform", "truncated_normal"):
        monkeypatch.setattr(keras.src.backend.random, name, refuse)
        monkeypatch.setattr(keras.random, name, refuse)
    for layer in (MBConv(8, 16, squeeze_width=2, activation_first=True), ConvNeXtBlock(8)):
        layer.build((2, 6, 4, 4))
        assert len(layer.weights) > 8


def test_values_can_be_left_out_where_a_checkpoint_follows():
    with without_initial_values():
        layer = MBConv(8, 16)
        layer.build((2, 6, 4, 4))
        with without_initial_values():
            pass
        assert not Normal()((3, 4)).any()
    assert not to_numpy(layer.expansion.kernel.value).any()
    assert to_numpy(layer.prenorm.gamma.value).all()
    assert Normal()((3, 4)).any()
