"""The two resizes by themselves."""

import numpy as np
import pytest
from PIL import Image

from keras_coatnet.images.resize import resize_image, resize_unrounded

pytestmark = pytest.mark.backend_free


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("resize", [resize_image, resize_unrounded])
def test_resize_takes_height_first(resize):
    assert resize(np.zeros((8, 12, 3), np.uint8), (4, 10)).shape == (4, 10, 3)


@pytest.mark.parametrize("resize", [resize_image, resize_unrounded])
def test_resize_to_the_same_size_keeps_every_pixel(resize):
    np.testing.assert_array_equal(resize(noise(5, 7, 3), (5, 7)), noise(5, 7, 3))


@pytest.mark.parametrize("resize", [resize_image, resize_unrounded])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_shrinking_averages_instead_of_picking_pixels(resize, interpolation):
    stripes = np.zeros((32, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    inner = resize(stripes, (8, 16), interpolation)[:, 2:-2]
    np.testing.assert_allclose(inner, 127.5, atol=2)


@pytest.mark.parametrize("size", [(5, 4), (31, 17), (16, 24)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_both_resizes_use_the_same_filter(size, interpolation):
    """PIL's in floats has exact positions; the other one's are rounded to 32 bits."""
    picture = noise(16, 24, 3)
    planes = [Image.fromarray(picture[:, :, channel].astype(np.float32)) for channel in range(3)]
    filters = Image.Resampling[interpolation.upper()]
    exact = np.stack([np.asarray(plane.resize(size[::-1], filters)) for plane in planes], axis=2)
    np.testing.assert_allclose(resize_unrounded(picture, size, interpolation), exact, rtol=0, atol=1e-3)


def test_unrounded_overshoots_and_the_other_does_not():
    edge = np.zeros((4, 8, 3), np.uint8)
    edge[:, 4:] = 255
    unrounded = resize_unrounded(edge, (8, 32))
    assert unrounded.dtype == np.float32
    assert unrounded.max() > 255
    assert unrounded.min() < 0
    floats = resize_image(edge.astype(np.float32), (8, 32))
    assert floats.dtype == np.float32
    assert (floats.min(), floats.max()) == (0, 255)


def test_any_number_of_channels_is_resized_alike():
    picture = noise(9, 11, 5)
    one_by_one = [resize_unrounded(picture[:, :, [channel]], (6, 5)) for channel in range(5)]
    np.testing.assert_array_equal(resize_unrounded(picture, (6, 5)), np.concatenate(one_by_one, axis=2))
