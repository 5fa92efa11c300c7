"""From a recipe's fields to what is done to pictures."""

import numpy as np
import pytest

from keras_coatnet.training.augment.auto_augment import AutoAugment
from keras_coatnet.training.augment.rand_augment import RandAugment
from keras_coatnet.training.data.feeds import make_augmentation, training_feed
from keras_coatnet.training.data.sources import Rows
from keras_coatnet.training.recipes import get_recipe

pytestmark = pytest.mark.backend_free


def test_rand_augment_is_that_of_the_recipe():
    augmentation = make_augmentation(get_recipe("a3_160"))
    assert augmentation.change == RandAugment(
        2, 6.0, 0.5, 10.0, 0.5, "increasing", resample="bicubic", fill=(124, 116, 104)
    )
    assert augmentation.crop.size == (160, 160)
    assert augmentation.erase is None


def test_paper_applies_every_operation_and_cuts_no_magnitude():
    change = make_augmentation(get_recipe("paper_in1k")).change
    assert (change.layers, change.magnitude, change.limit, change.probability) == (2, 15.0, None, 1.0)
    assert change.operations == "original"


def test_auto_augment_takes_the_place_of_rand_augment():
    recipe = get_recipe("transfer").replace(rand_augment_layers=0, auto_augment="v0")
    assert make_augmentation(recipe, (20, 30), mean=(0.5,) * 3).change == AutoAugment("v0", 0.5, 10.0, fill=(128,) * 3)
    assert make_augmentation(recipe, (20, 30)).crop.size == (20, 30)


def test_without_either_pictures_are_only_cropped_and_flipped():
    assert make_augmentation(get_recipe("transfer").replace(rand_augment_layers=0)).change is None


def test_batches_are_the_parts_that_are_accumulated():
    rows = Rows([(np.zeros((9, 9, 3), np.uint8), index % 2) for index in range(40)])
    recipe = get_recipe("transfer").replace(batch_size=16, accumulation=4, image_size=8, erasing=0.5)
    feed = training_feed(rows, 2, recipe, loader="keras", workers=0)
    images, labels = feed.arrays(0)
    assert images.shape == (4, 8, 8, 3)
    assert labels.shape == (4, 2)
    assert feed.steps == 10


def test_pictures_are_normalised_as_the_model_wants_them():
    rows = Rows([(np.full((9, 9, 3), 255, np.uint8), index % 2) for index in range(4)])
    recipe = get_recipe("transfer").replace(batch_size=4, image_size=8, rand_augment_layers=0)
    feed = training_feed(rows, 2, recipe, mean=(0.5,) * 3, std=(0.25,) * 3, loader="keras", workers=0)
    np.testing.assert_array_equal(feed.arrays(0)[0], 2)
