"""Resizing and normalising."""

import numpy as np
import pytest

from keras_coatnet.images.preprocess import IMAGENET_MEAN, IMAGENET_STD, normalise, resize_image

pytestmark = pytest.mark.backend_free


def test_resize_takes_height_first():
    assert resize_image(np.zeros((8, 12, 3), np.uint8), (4, 10)).shape == (4, 10, 3)


def test_resize_to_the_same_size_keeps_every_pixel():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    np.testing.assert_array_equal(resize_image(image, (5, 7)), image)


def test_shrinking_averages_instead_of_picking_pixels():
    stripes = np.zeros((32, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    inner = resize_image(stripes, (8, 16))[:, 2:-2]
    np.testing.assert_allclose(inner, 127.5, atol=2)


def test_normalised_colours_have_the_published_mean_and_spread():
    rows = [np.array(IMAGENET_MEAN) * 255, (np.array(IMAGENET_MEAN) + IMAGENET_STD) * 255]
    np.testing.assert_allclose(normalise(rows), [[0, 0, 0], [1, 1, 1]], atol=1e-6)


def test_normalised_bytes_are_float32():
    assert normalise(np.zeros((2, 3, 3), np.uint8)).dtype == np.float32
