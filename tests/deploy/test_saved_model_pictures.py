"""Crop, resize and normalisation inside a SavedModel, held to those of `preprocess`, which the peers' goldens hold."""

import dataclasses

import numpy as np
import pytest

from keras_coatnet.deploy.photographs import open_photographs
from keras_coatnet.images.preprocess import DEFAULT_PREPROCESSING, Preprocessing, preprocess

tensorflow = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.backend_free

from keras_coatnet.deploy.formats.saved_model_pictures import prepare_bytes  # noqa: E402

# Normalisation of bytes leaves no more than a rounding of 32-bit floats.
EXACT = 1e-6
# Whole numbers stand out: one off in a byte would be 1 / 255 of them.
PLAIN = Preprocessing((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def difference(pixels, preprocessing, size):
    found = prepare_bytes(tensorflow.constant(pixels[np.newaxis]), preprocessing, size)[0].numpy()
    return np.abs(found - preprocess(pixels, preprocessing, size)).max()


SIZES = [
    ((37, 53), (32, 32)),
    ((53, 37), (32, 48)),
    ((20, 20), (32, 32)),
    ((32, 32), (32, 32)),
    ((33, 300), (24, 40)),
    ((300, 33), (24, 40)),
]


@pytest.mark.parametrize(("old", "new"), SIZES)
@pytest.mark.parametrize("crop_mode", ["center", "squash"])
def test_resize_equals_pil_byte_for_byte(old, new, crop_mode):
    preprocessing = dataclasses.replace(PLAIN, crop=0.9, crop_mode=crop_mode)
    assert difference(picture(*old), preprocessing, new) < EXACT


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "lanczos", "hamming", "box"])
def test_every_filter_equals_pils(interpolation):
    preprocessing = dataclasses.replace(PLAIN, interpolation=interpolation, crop=0.95)
    for seed, (old, new) in enumerate(SIZES):
        assert difference(picture(*old, seed), preprocessing, new) < EXACT


@pytest.mark.parametrize(("old", "new"), SIZES)
@pytest.mark.parametrize("crop_mode", ["center", "squash"])
def test_cropping_first_equals_the_peers_floats(old, new, crop_mode):
    preprocessing = dataclasses.replace(DEFAULT_PREPROCESSING, crop_mode=crop_mode)
    assert difference(picture(*old), preprocessing, new) < 1e-4


@pytest.mark.parametrize("preprocessing", [DEFAULT_PREPROCESSING, Preprocessing(crop=0.95)])
def test_photographs_at_a_real_size(preprocessing):
    for photograph in open_photographs():
        assert difference(photograph.pixels, preprocessing, (224, 224)) < 1e-4


def test_pictures_of_a_batch_do_not_see_each_other():
    pictures = np.stack([picture(20, 30, seed) for seed in range(3)])
    together = prepare_bytes(tensorflow.constant(pictures), PLAIN, (16, 16)).numpy()
    alone = [prepare_bytes(tensorflow.constant(each[np.newaxis]), PLAIN, (16, 16)).numpy()[0] for each in pictures]
    np.testing.assert_array_equal(together, np.stack(alone))
