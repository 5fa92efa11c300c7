"""The two normalisations: their constants, and the moving statistics that training leaves."""

import keras
import numpy as np
import oracle
import pytest
from agreement import assert_close
from running import gradients, image, randomize, run

from keras_coatnet.layers.normalization import normalization, normalize

SHAPE = (2, 3, 4, 5)


def built(kind, **changes):
    layer = normalization(kind, **{"epsilon": 1e-2, "momentum": 0.75, "name": "layer", "dtype": "float32", **changes})
    layer.build(SHAPE)
    return layer


@pytest.mark.parametrize(("kind", "equation"), [("batch", oracle.batch_norm), ("layer", oracle.layer_norm)])
def test_output_is_that_of_the_equation(kind, equation):
    layer = built(kind)
    randomize(layer)
    x = image(SHAPE)
    assert_close(run(layer, x), equation(layer, x.astype("float64"), 1e-2))


def test_training_moves_the_statistics_by_the_momentum():
    layer = built("batch")
    randomize(layer)
    x = image(SHAPE).astype("float64")
    mean, variance = oracle.values(layer.moving_mean), oracle.values(layer.moving_variance)
    run(layer, x.astype("float32"), training=True)
    batch = x.reshape(-1, 5)
    assert_close(oracle.values(layer.moving_mean), 0.75 * mean + 0.25 * batch.mean(axis=0))
    assert_close(oracle.values(layer.moving_variance), 0.75 * variance + 0.25 * batch.var(axis=0))


@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_weights_start_neutral(kind):
    start = {"gamma": 1.0, "beta": 0.0, "moving_mean": 0.0, "moving_variance": 1.0}
    layer = built(kind)
    assert {weight.name for weight in layer.weights} == set(start if kind == "batch" else ["gamma", "beta"])
    for weight in layer.weights:
        np.testing.assert_array_equal(oracle.values(weight), np.full(5, start[weight.name]))


def test_unknown_kind_is_refused():
    with pytest.raises(
        ValueError,
        match=r"norm must be one of 'batch', 'layer', 'affine', 'standardize', None; got 'bach'\. Nearest: 'batch'\.",
    ):
        built("bach")


class Normalized(keras.layers.Layer):
    """A batch norm as blocks call it, or as Keras does."""

    def __init__(self, as_blocks_do):
        super().__init__()
        self.as_blocks_do = as_blocks_do
        self.norm = normalization("batch", epsilon=1e-5, momentum=0.75, name="norm", dtype="float32")

    def build(self, input_shape):
        self.norm.build(input_shape)

    def compute_output_shape(self, input_shape):
        return input_shape

    def call(self, x, training=None):
        return normalize(self.norm, x, training) if self.as_blocks_do else self.norm(x, training=training)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 1, 4, 5), (3, 1, 2, 5)])
def test_training_is_as_keras_has_it(shape):
    x, results = 3 * image(shape) + 1, []
    for as_blocks_do in (True, False):
        layer = Normalized(as_blocks_do)
        layer.build(shape)
        randomize(layer)
        of_weights, of_input = gradients(layer, x, training=True)
        statistics = [oracle.values(layer.norm.moving_mean), oracle.values(layer.norm.moving_variance)]
        results.append([run(layer, x, training=True), *of_weights, of_input, *statistics])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * max(1, np.abs(expected).max()))
