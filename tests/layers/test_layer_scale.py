"""LayerScale against its equation."""

import numpy as np
import oracle
import pytest
from agreement import assert_close, filled, outputs

from keras_coatnet.layers import LayerScale


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 7, 5), (2, 5)])
def test_every_channel_has_its_factor(shape):
    layer = filled(LayerScale(name="layer"), shape)
    found, x = outputs(layer, shape)
    assert_close(found, x * oracle.values(layer.gamma), 1e-7)


def test_factors_start_as_given():
    layer = LayerScale(0.125)
    layer.build((None, 3))
    np.testing.assert_array_equal(oracle.values(layer.gamma), [0.125, 0.125, 0.125])
