"""Resizing, cropping and normalising: the peers' own results, and what can be wrong."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_coatnet.images.preprocess import (
    DEFAULT_PREPROCESSING,
    IMAGENET_MEAN,
    IMAGENET_STD,
    LARGEST_ENLARGEMENT,
    Preprocessing,
    normalise,
    preprocess,
    seen_window,
)

pytestmark = pytest.mark.backend_free

GOLDENS = Path(__file__).parents[1] / "goldens" / "preprocessing"
RECORDS = json.loads((GOLDENS / "cases.json").read_text(encoding="utf-8"))
# Bytes between resizing and cropping make timm's numbers exact; the other peer divides by 255 at another place.
TOLERANCE = {"timm": 0, "kecam": 1e-6}


def golden_answers():
    """(peer, part, case) of every result; one peer has none for pictures that are one pixel thin."""
    for peer in TOLERANCE:
        with np.load(GOLDENS / f"{peer}.npz") as answers:
            yield from ((peer, *key.split("|")) for key in answers)


def photo_part(rows, columns, transposed):
    part = np.array(Image.open(GOLDENS / "photo.png"))[slice(*rows), slice(*columns)]
    return part.swapaxes(0, 1) if transposed else part


@pytest.mark.parametrize(("peer", "part", "case"), list(golden_answers()))
def test_photographs_come_out_as_the_peers_own_transform_makes_them(peer, part, case):
    record = RECORDS["cases"][case]
    with np.load(GOLDENS / f"{peer}.npz") as answers:
        expected = answers[f"{part}|{case}"]
    picture = photo_part(**RECORDS["parts"][part])
    result = preprocess(picture, Preprocessing(**record["preprocessing"]), tuple(record["size"]))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE[peer])


def test_both_peers_are_compared():
    assert len([key for key in golden_answers() if key[0] == "timm"]) == 36
    assert len([key for key in golden_answers() if key[0] == "kecam"]) == 18


@pytest.mark.parametrize("order", ["resize_then_crop", "crop_then_resize"])
@pytest.mark.parametrize("crop_mode", ["center", "squash"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (500, 1), (7, 5)])
def test_the_smallest_pictures_give_the_full_size(order, crop_mode, shape):
    picture = np.full((*shape, 3), 200, np.uint8)
    result = preprocess(picture, Preprocessing(crop=0.95, crop_mode=crop_mode, order=order), (12, 20))
    np.testing.assert_allclose(result, np.broadcast_to(normalise(picture[0, 0]), (12, 20, 3)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("order", ["resize_then_crop", "crop_then_resize"])
def test_squash_of_the_whole_keeps_both_ends_of_a_picture(order):
    picture = np.zeros((40, 200, 3), np.uint8)
    picture[:, :20] = picture[:, -20:] = 255
    squash = Preprocessing((0, 0, 0), (1, 1, 1), 1.0, "squash", order)
    center = dataclasses.replace(squash, crop_mode="center")
    assert (preprocess(picture, squash, (20, 20))[:, [0, -1]] > 0.9).all()
    assert (preprocess(picture, center, (20, 20)) < 0.1).all()


def test_pictures_of_the_models_size_are_cropped_too():
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    assert not np.array_equal(preprocess(picture, Preprocessing(crop=0.95), (40, 40)), normalise(picture))
    np.testing.assert_array_equal(preprocess(picture, Preprocessing(crop=1.0), (40, 40)), normalise(picture))


@pytest.mark.parametrize("order", ["resize_then_crop", "crop_then_resize"])
def test_floats_are_not_rounded_to_bytes(order):
    preprocessing = Preprocessing((0, 0, 0), (1, 1, 1), order=order)
    picture = np.full((6, 9, 3), 100.4, np.float32)
    np.testing.assert_allclose(preprocess(picture, preprocessing, (4, 4)), 100.4 / 255, rtol=1e-6)
    integers = np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8)
    same = preprocess(integers.astype(np.float32), preprocessing, (6, 6))
    np.testing.assert_array_equal(same, preprocess(integers, preprocessing, (6, 6)))


@pytest.mark.parametrize("order", ["resize_then_crop", "crop_then_resize"])
@pytest.mark.parametrize("crop_mode", ["center", "squash"])
@pytest.mark.parametrize("shape", [(120, 200), (230, 90)])
@pytest.mark.parametrize("size", [(40, 40), (30, 50)])
def test_seen_window_is_what_is_left_of_a_picture(order, crop_mode, shape, size):
    preprocessing = Preprocessing((0, 0, 0), (1, 1, 1), 0.8, crop_mode, order, "bilinear")
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32) + 0.5
    # Each pixel says where it stands.
    made_ready = preprocess(np.stack([rows, columns, columns], axis=-1), preprocessing, size) * 255
    top, left, bottom, right = seen_window(shape, preprocessing, size)
    expected_rows = top + (np.arange(size[0]) + 0.5) * (bottom - top) / size[0]
    expected_columns = left + (np.arange(size[1]) + 0.5) * (right - left) / size[1]
    # At its edges the filter leans inwards.
    np.testing.assert_allclose(made_ready[2:-2, 20, 0], expected_rows[2:-2], atol=0.6)
    np.testing.assert_allclose(made_ready[20, 2:-2, 1], expected_columns[2:-2], atol=0.6)


def test_window_of_a_thread_like_picture_equals_the_crop_of_all_of_it(monkeypatch):
    picture = np.random.default_rng(0).integers(0, 256, (3, 400, 3), np.uint8)
    preprocessing = Preprocessing((0, 0, 0), (1, 1, 1), 0.95)
    whole = preprocess(picture, preprocessing, (24, 24))
    monkeypatch.setattr("keras_coatnet.images.preprocess.LARGEST_ENLARGEMENT", 1000)
    # The last bit of a weight may differ, which rounds a byte the other way, once in each direction.
    np.testing.assert_allclose(preprocess(picture, preprocessing, (24, 24)), whole, rtol=0, atol=2 / 255 + 1e-6)


def test_longest_legal_thread_needs_no_memory_for_its_whole():
    # 224 x 14.7 million pixels, would it be enlarged as a whole.
    assert LARGEST_ENLARGEMENT < 224 * 224 * 65535
    assert preprocess(np.full((1, 65535, 3), 7, np.uint8), Preprocessing(), (224, 224)).shape == (224, 224, 3)


def test_normalised_colours_have_the_published_mean_and_spread():
    rows = [np.array(IMAGENET_MEAN) * 255, (np.array(IMAGENET_MEAN) + IMAGENET_STD) * 255]
    np.testing.assert_allclose(normalise(rows), [[0, 0, 0], [1, 1, 1]], atol=1e-6)


def test_normalising_leaves_its_argument_alone():
    images = np.full((1, 2, 3), 50, np.float32)
    assert normalise(images).dtype == np.float32
    assert (images == 50).all()


def test_lists_of_a_json_file_make_the_same_preprocessing():
    fields = json.loads(json.dumps(dataclasses.asdict(DEFAULT_PREPROCESSING)))
    assert Preprocessing(**fields) == DEFAULT_PREPROCESSING
    assert hash(Preprocessing(**fields)) == hash(DEFAULT_PREPROCESSING)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mean": (0.5, 0.5)}, r"mean must be three finite numbers.*got \(0.5, 0.5\)"),
        ({"mean": 0.5}, "mean must be three finite numbers.*got 0.5"),
        ({"std": (0.5, float("nan"), 0.5)}, "std must be three finite numbers"),
        ({"std": (0.5, 0, 0.5)}, r"std must be above 0.*got \(0.5, 0.0, 0.5\)"),
        ({"crop": 0}, "crop must be above 0 and at most 1; got 0"),
        ({"crop": 1.1}, "at most 1; got 1.1"),
        ({"crop_mode": "centre"}, "crop_mode must be one of 'center', 'squash'; got 'centre'. Nearest: 'center'"),
        ({"order": "crop"}, "order must be one of 'resize_then_crop', 'crop_then_resize'; got 'crop'"),
        ({"interpolation": "cubic"}, "got 'cubic'. Nearest: 'bicubic'"),
        ({"order": "crop_then_resize", "interpolation": "lanczos"}, "with crop_then_resize.*'bilinear'; got 'lanczos'"),
    ],
)
def test_impossible_preprocessing_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Preprocessing(**fields)
