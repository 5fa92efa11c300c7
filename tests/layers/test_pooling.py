"""The pools against their windows."""

import keras
import numpy as np
import oracle
import pytest
from agreement import assert_close
from hypothesis import given
from hypothesis import strategies as st
from running import BACKEND, gradients, image, run, to_numpy

from keras_coatnet.layers.pooling import POOLS, library_pool, pool, pooled_size

NEEDS_FLOAT64 = pytest.mark.skipif(BACKEND == "jax", reason="JAX computes in float32 unless told")


class Pool(keras.layers.Layer):
    """A pool as a layer."""

    def __init__(self, kind, stride, form=pool):
        super().__init__()
        self.kind, self.stride, self.form = kind, stride, form
        self.built = True

    def call(self, x):
        return self.form(x, self.kind, self.stride)

    def compute_output_shape(self, shape):
        return (shape[0], *(pooled_size(side, self.kind, self.stride) for side in shape[1:3]), shape[3])


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("sides", [(6, 12), (5, 7), (3, 4)])
def test_windows(kind, stride, sides):
    """Below zero everywhere: a zero that a border let in would win."""
    x = -1 - np.abs(image((2, *sides, 3)))
    found = run(Pool(kind, stride), x)
    assert_close(found, oracle.pool(x.astype("float64"), kind, stride), 1e-6)
    assert found.shape[1:3] == tuple(pooled_size(side, kind, stride) for side in sides)


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize(("stride", "sides"), [(2, (6, 8)), (2, (5, 7)), (3, (7, 6))])
def test_pooling_is_the_librarys_and_so_is_its_gradient(kind, stride, sides):
    x = image((2, *sides, 3))
    chosen, library = (Pool(kind, stride, form) for form in (pool, library_pool))
    assert_close(run(chosen, x), run(library, x), 1e-6)
    assert_close(gradients(chosen, x)[1], gradients(library, x)[1], 1e-6)


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("dtype", ["bfloat16", pytest.param("float64", marks=NEEDS_FLOAT64)])
def test_pooling_keeps_the_dtype(kind, dtype):
    x = keras.ops.cast(image((1, 4, 6, 2)), dtype)
    y = pool(x, kind, 2)
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    expected = oracle.pool(to_numpy(x).astype("float64"), kind, 2)
    assert_close(to_numpy(y).astype("float64"), expected, 1e-2 if dtype == "bfloat16" else 1e-15)


@given(size=st.integers(1, 50), kind=st.sampled_from(POOLS), stride=st.integers(1, 4))
def test_size_counts_the_windows(size, kind, stride):
    whole, rest = divmod(size, stride)
    extra = 1 if rest and kind != "average" else 0
    assert pooled_size(size, kind, stride) == (size if stride == 1 else whole + extra)


@pytest.mark.parametrize("kind", POOLS)
def test_size_of_an_open_side_is_open(kind):
    assert pooled_size(None, kind, 2) is None
