"""Every rearrangement of a tensor is undone by its other direction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_coatnet.weights import transforms

pytestmark = pytest.mark.backend_free

sides = st.integers(1, 5)


def numbered(*shape):
    return np.arange(np.prod(shape), dtype="float32").reshape(shape)


@given(sides, sides, sides, sides)
def test_a_pytorch_convolution_comes_back(out, channels, height, width):
    theirs = numbered(out, channels, height, width)
    ours = transforms.TORCH_CONVOLUTION.to_ours(theirs)
    assert ours.shape == (height, width, channels, out)
    assert ours[-1, 0, 0, -1] == theirs[-1, 0, -1, 0]
    np.testing.assert_array_equal(transforms.TORCH_CONVOLUTION.to_theirs(ours), theirs)


@given(sides, sides, sides, sides)
def test_a_pytorch_depthwise_convolution_comes_back(channels, multiplier, height, width):
    transform = transforms.torch_depthwise(multiplier)
    theirs = numbered(channels * multiplier, 1, height, width)
    ours = transform.to_ours(theirs)
    assert ours.shape == (height, width, channels, multiplier)
    # Output channel c * multiplier + m reads input channel c.
    assert ours[0, 0, -1, 0] == theirs[(channels - 1) * multiplier, 0, 0, 0]
    np.testing.assert_array_equal(transform.to_theirs(ours), theirs)


@given(sides, sides)
def test_a_pointwise_convolution_comes_back_from_two_or_four_axes(out, channels):
    four, two = numbered(out, channels, 1, 1), numbered(out, channels)
    np.testing.assert_array_equal(transforms.TORCH_POINTWISE.to_ours(four), two.T)
    np.testing.assert_array_equal(transforms.TORCH_POINTWISE.to_ours(two), two.T)
    np.testing.assert_array_equal(transforms.TORCH_POINTWISE.to_theirs(two.T), four)
    np.testing.assert_array_equal(transforms.KERAS_POINTWISE.to_theirs(two), two[None, None])
    np.testing.assert_array_equal(transforms.KERAS_POINTWISE.to_ours(two[None, None]), two)


@given(sides, sides, sides)
def test_qkv_goes_from_kind_first_to_head_first_and_back(heads, dim, channels):
    transform = transforms.qkv_by_kind(heads, dim)
    theirs = numbered(1, 1, channels, 3 * heads * dim)
    ours = transform.to_ours(theirs)
    by_kind = theirs[0, 0].reshape(channels, 3, heads, dim)
    by_head = ours.reshape(channels, heads, 3, dim)
    for kind in range(3):
        for head in range(heads):
            np.testing.assert_array_equal(by_head[:, head, kind], by_kind[:, kind, head])
    np.testing.assert_array_equal(transform.to_theirs(ours), theirs)


@pytest.mark.parametrize(
    ("transform", "shape"),
    [
        (transforms.TORCH_CONVOLUTION, (3, 3)),
        (transforms.TORCH_POINTWISE, (4, 4, 3, 3)),
        (transforms.KERAS_POINTWISE, (3, 3, 4, 4)),
        (transforms.torch_depthwise(1), (4, 2, 3, 3)),
        (transforms.torch_depthwise(2), (5, 1, 3, 3)),
        (transforms.qkv_by_kind(2, 4), (1, 1, 8, 25)),
        (transforms.HEADS_FIRST_TABLE, (3,)),
    ],
)
def test_an_array_that_cannot_be_one_of_these_is_refused(transform, shape):
    with pytest.raises(ValueError):
        transform.to_ours(np.zeros(shape))
