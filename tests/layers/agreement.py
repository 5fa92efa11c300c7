"""A layer against its oracle."""

import numpy as np
from running import image, randomize, run

# float32 against float64, over the largest value.
TOLERANCE = 2e-6


def filled(layer, shape):
    """The layer built for `shape` with random weights."""
    layer.build(shape)
    randomize(layer)
    return layer


def outputs(layer, shape):
    """(what the layer gives for a random map, the map in float64)."""
    x = image(shape)
    return run(layer, x), x.astype("float64")


def assert_close(found, expected, tolerance=TOLERANCE):
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * max(np.abs(expected).max(), 1e-30))
