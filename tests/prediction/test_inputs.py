"""What a model takes, and pictures made ready for it."""

import dataclasses

import keras
import numpy as np
import pytest
from colour_models import HEIGHT, WIDTH, colour_model
from PIL import Image

import keras_coatnet as kc
from keras_coatnet.images.preprocess import DEFAULT_PREPROCESSING, Preprocessing, preprocess
from keras_coatnet.images.read import UnreadableImage
from keras_coatnet.prediction.inputs import input_size, preprocessing_of, takes_channels_first
from keras_coatnet.weights.manifest import load_manifest

SQUASH = Preprocessing((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 1.0, "squash")


@pytest.fixture(scope="module")
def model():
    return colour_model()


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (9, 14, 3), np.uint8)


def test_every_form_of_a_picture_gives_the_same_batch(model, picture, tmp_path):
    Image.fromarray(picture).save(tmp_path / "a.png")
    expected = preprocess(picture, DEFAULT_PREPROCESSING, (HEIGHT, WIDTH))[np.newaxis]
    tensor = keras.ops.convert_to_tensor(picture)
    forms = [str(tmp_path / "a.png"), tmp_path / "a.png", Image.fromarray(picture), picture, tensor]
    for form in (*forms, picture.astype("float32"), picture[np.newaxis], tensor[np.newaxis], [picture], (tensor,)):
        batch = kc.preprocess_input(form, model)
        assert batch.dtype == np.float32
        np.testing.assert_array_equal(batch, expected)
    mixed = kc.preprocess_input(forms, model)
    assert mixed.shape == (5, HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(mixed, np.repeat(expected, 5, axis=0))


def test_pictures_of_many_sizes_make_one_batch(model):
    pictures = [np.zeros((height, width, 3), np.uint8) for height, width in ((1, 1), (30, 7), (4, 6))]
    assert kc.preprocess_input(pictures, model).shape == (3, HEIGHT, WIDTH, 3)


def test_no_pictures_make_an_empty_batch(model):
    assert kc.preprocess_input([], model).shape == (0, HEIGHT, WIDTH, 3)


def test_model_with_channels_first_gets_them(picture):
    model = colour_model(shape=(3, HEIGHT, WIDTH))
    batch = kc.preprocess_input(picture, model)
    assert takes_channels_first(model)
    np.testing.assert_array_equal(np.moveaxis(batch, 1, -1), kc.preprocess_input(picture, colour_model()))


def test_preprocessing_is_the_models_own_then_that_of_its_weights_then_the_default(model):
    trained = kc.CoAtNet("coatnet_tiny200_ccct", input_shape=(32, 64, 3), num_classes=2)
    assert preprocessing_of(model) == preprocessing_of(trained) == DEFAULT_PREPROCESSING
    trained.origin = {"labels": None, "preprocessing": dataclasses.asdict(SQUASH)}
    assert preprocessing_of(trained) == SQUASH
    trained.preprocessing = dataclasses.replace(SQUASH, crop=0.5)
    assert preprocessing_of(trained).crop == 0.5


def test_preprocessing_of_the_weights_survives_a_keras_file(tmp_path, picture):
    model = kc.CoAtNet("coatnet_tiny200_ccct", input_shape=(32, 64, 3), num_classes=2)
    model.origin = {"labels": None, "preprocessing": dataclasses.asdict(SQUASH)}
    model.save(tmp_path / "a.keras")
    loaded = keras.models.load_model(tmp_path / "a.keras")
    expected = preprocess(picture, SQUASH, (32, 64))[np.newaxis]
    np.testing.assert_array_equal(kc.preprocess_input(picture, loaded), expected)


def test_model_of_any_size_gets_its_variants_or_224():
    headless = keras.Sequential([keras.Input((None, 40, 3)), keras.layers.GlobalAveragePooling2D()])
    assert input_size(headless) == (224, 40)
    assert input_size(kc.CoAtNet("test_coatnet", input_shape=(None, 64, 3), num_classes=2)) == (160, 64)


@pytest.mark.parametrize(
    ("name", "mean", "size"),
    [
        ("coatnet_0", 0.485, 224),
        ("coatnet_0.imagenet", 0.485, 224),
        ("coatnet_bn_0_rw.sw_in1k", 0.485, 224),
        ("coatnet_nano_rw", 0.5, 224),
        ("coatnet_2_rw.sw_in12k", 0.5, 224),
    ],
)
def test_name_of_released_weights_says_how(name, mean, size, picture):
    gray = np.full((300, 200, 3), mean * 255, np.float32)
    batch = kc.preprocess_input(gray, name)
    assert batch.shape == (1, size, size, 3)
    np.testing.assert_allclose(batch[..., 0], 0, atol=1e-3)
    assert np.abs(batch[..., 2]).max() == pytest.approx(0 if mean == 0.5 else (0.485 - 0.406) / 0.225, abs=1e-3)


def test_every_row_of_the_manifest_says_something_possible():
    rows = load_manifest()
    assert len(rows) == 35
    modes = {Preprocessing(**dataclasses.asdict(row.preprocessing)).crop_mode for row in rows}
    assert modes == {"center", "squash"}


def test_name_gives_channels_first_where_keras_is_set_to_them(picture, monkeypatch):
    last = kc.preprocess_input(picture, "coatnet_0")
    monkeypatch.setattr(keras.config, "image_data_format", lambda: "channels_first")
    np.testing.assert_array_equal(kc.preprocess_input(picture, "coatnet_0"), np.moveaxis(last, -1, 1))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("coatnet_0.imagnet", "coatnet_0.*'imagnet'"),
        ("coatnet_zero.imagenet", "coatnet_zero"),
        ("coatnet_3_rw", "coatnet_3_rw has no ImageNet-1k weights; its tags: sw_in12k"),
    ],
)
def test_unknown_weights_are_refused_with_the_known_ones(name, message, picture):
    with pytest.raises(ValueError, match=message):
        kc.preprocess_input(picture, name)


def test_model_that_takes_no_rgb_is_refused(picture):
    gray = keras.Sequential([keras.Input((4, 6, 1)), keras.layers.Flatten()], name="gray")
    with pytest.raises(ValueError, match=r"must take RGB pictures.*'gray' takes \(None, 4, 6, 1\)"):
        kc.preprocess_input(picture, gray)


def test_file_that_cannot_be_read_is_named(model):
    with pytest.raises(UnreadableImage, match=r"nowhere\.png: No such file"):
        kc.preprocess_input(["nowhere.png"], model)
