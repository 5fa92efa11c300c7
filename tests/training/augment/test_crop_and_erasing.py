"""Random crops and erased rectangles lie inside, have the allowed areas and aspects, and come out at the right size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from keras_coatnet.training.augment.crop import RandomResizedCrop, crop_box
from keras_coatnet.training.augment.erasing import RandomErasing, erased_box
from keras_coatnet.training.augment.picture import PictureAugmentation

pytestmark = pytest.mark.backend_free

sides = st.integers(1, 400)
seeds = st.integers(0, 2**32 - 1)


def ranges(low, high):
    return st.tuples(st.floats(low, high), st.floats(low, high)).map(lambda pair: tuple(sorted(pair)))


@given(sides, sides, ranges(0.01, 1), ranges(0.2, 5), seeds)
def test_crops_lie_inside(height, width, scale, ratio, seed):
    top, left, box_height, box_width = crop_box(height, width, scale, ratio, np.random.default_rng(seed))
    assert 0 <= top <= top + box_height <= height
    assert 0 <= left <= left + box_width <= width
    assert box_height > 0
    assert box_width > 0


@given(st.integers(100, 400), st.integers(100, 400), seeds)
def test_crops_of_common_pictures_have_the_area_and_aspect_asked_for(height, width, seed):
    _, _, box_height, box_width = crop_box(height, width, (0.3, 0.5), (0.9, 1.1), np.random.default_rng(seed))
    assert 0.28 < box_height * box_width / (height * width) < 0.52
    assert 0.85 < box_width / box_height < 1.16


@pytest.mark.parametrize(
    ("height", "width", "expected"), [(10, 100, (0, 43, 10, 13)), (100, 10, (43, 0, 13, 10)), (7, 7, (0, 0, 7, 7))]
)
def test_where_no_crop_fits_the_middle_of_the_nearest_aspect_is_taken(height, width, expected):
    # An area of four pictures fits nowhere.
    assert crop_box(height, width, (4, 4), (3 / 4, 4 / 3), np.random.default_rng(0)) == expected


def test_crop_is_antialiased_and_bicubic():
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8))
    crop = RandomResizedCrop((20, 30), scale=(0.5, 0.5))
    top, left, height, width = crop_box(90, 120, (0.5, 0.5), crop.ratio, np.random.default_rng(3))
    part = picture.crop((left, top, left + width, top + height))
    expected = part.resize((30, 20), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(np.asarray(crop(picture, np.random.default_rng(3))), np.asarray(expected))


@given(sides, sides, ranges(0.01, 0.9), seeds)
def test_erased_rectangles_lie_inside_and_are_smaller(height, width, area, seed):
    box = erased_box(height, width, area, (0.3, 3), np.random.default_rng(seed))
    if box is not None:
        top, left, box_height, box_width = box
        assert 0 <= top < top + box_height <= height
        assert 0 <= left < left + box_width <= width
        assert box_height < height
        assert box_width < width


@pytest.mark.parametrize("mode", ["constant", "colour", "pixel"])
def test_erasing_changes_one_rectangle_and_says_what_with(mode):
    picture = np.full((20, 30, 3), 9, np.float32)
    erased = RandomErasing(1.0, mode=mode)(picture.copy(), np.random.default_rng(1))
    rows, columns = np.nonzero((erased != 9).any(-1))
    inside = erased[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert len(rows) == inside.shape[0] * inside.shape[1]
    colours = len(np.unique(inside.reshape(-1, 3), axis=0))
    assert colours == (len(rows) if mode == "pixel" else 1)
    assert (inside == 0).all() == (mode == "constant")


def test_erasing_happens_as_often_as_asked():
    generator, erase = np.random.default_rng(0), RandomErasing(0.25, mode="constant")
    erased = sum((erase(np.ones((8, 9, 3), np.float32), generator) == 0).any() for _ in range(1000))
    assert erased == pytest.approx(250, rel=0.15)


@given(sides, sides, st.booleans(), seeds)
def test_any_picture_comes_out_at_the_size_asked_for(height, width, floats, seed):
    picture = np.full((height, width, 3), 77, np.float32 if floats else np.uint8)
    augment = PictureAugmentation(RandomResizedCrop((5, 8)), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    result = augment(picture, np.random.default_rng(seed))
    assert result.dtype == np.float32
    assert result.shape == (5, 8, 3)
    np.testing.assert_allclose(result, 77 / 127.5 - 1, atol=1e-6)


def test_half_of_the_pictures_are_flipped():
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[:, 3:] = 255
    augment = PictureAugmentation(RandomResizedCrop((4, 6), scale=(1, 1), ratio=(1.5, 1.5)))
    generator = np.random.default_rng(0)
    bright_left = sum(augment(picture, generator)[0, 0, 0] > 0 for _ in range(1000))
    assert bright_left == pytest.approx(500, abs=60)
