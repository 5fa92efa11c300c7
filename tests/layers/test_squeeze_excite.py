"""SqueezeExcite against its equation."""

import numpy as np
import oracle
import pytest
from agreement import assert_close, filled, outputs
from running import run

from keras_coatnet.layers import SqueezeExcite

SHAPE = (2, 5, 7, 6)


@pytest.mark.parametrize(("activation", "function"), [("gelu", oracle.gelu), ("silu", oracle.silu)])
def test_output_is_that_of_the_equation(activation, function):
    layer = filled(SqueezeExcite(3, activation=activation, name="layer"), SHAPE)
    found, x = outputs(layer, SHAPE)
    assert_close(found, oracle.squeeze_excite(layer, x, function))


def test_mean_of_a_large_map_does_not_overflow_float16():
    """64 x 96 pixels of 20 add up to 122880; float16 ends at 65504."""
    shape = (1, 64, 96, 4)
    layer = filled(SqueezeExcite(2, dtype="mixed_float16", name="layer"), shape)
    x = np.full(shape, 20.0, "float32")
    found = run(layer, x)
    assert_close(found, oracle.squeeze_excite(layer, x.astype("float64"), oracle.gelu), 5e-3)


@pytest.mark.parametrize("width", [0, -3])
def test_bottleneck_without_channels_is_refused(width):
    with pytest.raises(ValueError, match=rf"reduced_width must be a whole number of at least 1; got {width}\."):
        SqueezeExcite(width)
