"""The pools against their windows."""

import keras
import numpy as np
import oracle
import pytest
from agreement import assert_close
from hypothesis import given
from hypothesis import strategies as st
from running import image, run

from keras_coatnet.layers.pooling import POOLS, pool, pooled_size


class Pool(keras.layers.Layer):
    """A pool as a layer."""

    def __init__(self, kind, stride):
        super().__init__()
        self.kind, self.stride = kind, stride
        self.built = True

    def call(self, x):
        return pool(x, self.kind, self.stride)


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("sides", [(6, 12), (5, 7), (3, 4)])
def test_windows(kind, stride, sides):
    """Below zero everywhere: a zero that a border let in would win."""
    x = -1 - np.abs(image((2, *sides, 3)))
    found = run(Pool(kind, stride), x)
    assert_close(found, oracle.pool(x.astype("float64"), kind, stride), 1e-6)
    assert found.shape[1:3] == tuple(pooled_size(side, kind, stride) for side in sides)


@given(size=st.integers(1, 50), kind=st.sampled_from(POOLS), stride=st.integers(1, 4))
def test_size_counts_the_windows(size, kind, stride):
    whole, rest = divmod(size, stride)
    extra = 1 if rest and kind != "average" else 0
    assert pooled_size(size, kind, stride) == (size if stride == 1 else whole + extra)


@pytest.mark.parametrize("kind", POOLS)
def test_size_of_an_open_side_is_open(kind):
    assert pooled_size(None, kind, 2) is None
