"""Activations by name: the exact GELU, what configs keep."""

import keras
import numpy as np
import oracle
import pytest
from agreement import assert_close
from running import gradients, image, run

from keras_coatnet.layers import SqueezeExcite
from keras_coatnet.layers.activation import activation_name, gelu, gelu_by_sigmoid, get_activation


class Activation(keras.layers.Layer):
    """A function as a layer."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function
        self.built = True

    def call(self, x):
        return self.function(x)

    def compute_output_shape(self, input_shape):
        return input_shape


def test_gelu_is_the_exact_one():
    x = 3 * image((4, 50))
    assert_close(run(Activation(get_activation("gelu")), x), oracle.gelu(x.astype("float64")), 1e-6)


def test_gelu_by_sigmoid_is_within_a_millionth_of_the_exact_one():
    x = np.linspace(-20, 20, 4001, dtype="float32")[None]
    assert_close(run(Activation(gelu_by_sigmoid), x), oracle.gelu(x.astype("float64")), 1e-6)


def test_gelu_has_its_exact_gradient():
    x = 3 * image((1, 60))
    step = 1e-5
    slope = (oracle.gelu(x.astype("float64") + step) - oracle.gelu(x.astype("float64") - step)) / (2 * step)
    projection = np.random.default_rng(1).standard_normal((1, 60)).astype("float32")
    assert_close(gradients(Activation(gelu), x)[1], slope * projection, 2e-6)


def test_gelu_keeps_the_sign_and_tail_of_float16():
    x = np.array([[-60000.0, -10.0, 0.0, 10.0, 60000.0]], "float32")
    found = run(Activation(gelu, dtype="float16"), x)
    np.testing.assert_allclose(found, [[0, 0, 0, 10, 60000]], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("name", "function"), [("silu", oracle.silu), ("relu", oracle.relu), (None, lambda x: x)])
def test_other_names_are_those_of_keras(name, function):
    x = image((3, 7))
    assert_close(run(Activation(get_activation(name)), x), function(x.astype("float64")))


@keras.saving.register_keras_serializable(package="tests")
def doubled(x):
    return 2 * x


@pytest.mark.parametrize("activation", [doubled, gelu, gelu_by_sigmoid, keras.activations.silu])
def test_callables_survive_a_config(activation):
    layer = SqueezeExcite(2, activation=activation)
    stored = layer.get_config()["activation"]
    copy = SqueezeExcite.from_config(layer.get_config())
    assert copy.get_config()["activation"] == stored
    x = image((2, 3))
    np.testing.assert_array_equal(run(Activation(copy.activation), x), run(Activation(activation), x))


@pytest.mark.parametrize("name", ["gelu", "silu", None])
def test_names_are_stored_as_given(name):
    assert activation_name(name) == name


def test_unknown_name_is_refused():
    with pytest.raises(ValueError, match="gelo"):
        get_activation("gelo")
