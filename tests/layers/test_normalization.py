"""The two normalisations: their constants, and the moving statistics that training leaves."""

import numpy as np
import oracle
import pytest
from agreement import assert_close
from running import image, randomize, run

from keras_coatnet.layers.normalization import normalization

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
