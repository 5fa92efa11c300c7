"""The callable for worker pools: what travels, what comes in, what comes out."""

import pickle
from pathlib import Path

import keras
import numpy as np
import pytest
from colour_models import LABELS, colour_model
from PIL import Image

import keras_coatnet as kc
from keras_coatnet.images.labels import write_labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pool")
    colour_model().save(folder / "model.keras")
    write_labels(folder / "classes.json", LABELS)
    for name, colour in (("red", "red"), ("green", "lime"), ("blue", "blue")):
        Image.new("RGB", (9, 5), colour).save(folder / f"{name}.png")
    (folder / "bad.png").write_text("no picture")
    return folder


@pytest.fixture
def predictor(folder):
    return kc.Predictor(str(folder / "model.keras"), top=2, batch_size=3)


def best(columns):
    return [labels[0] for labels in columns["predicted_label"]]


def test_paths_bytes_and_arrays_give_the_same_columns(folder, predictor):
    paths = [str(folder / f"{name}.png") for name in ("red", "green", "blue")]
    by_path = predictor({"path": np.array(paths), "id": np.arange(3)})
    assert best(by_path) == ["red", "green", "blue"]
    assert by_path["predicted_probability"].shape == (3, 2)
    assert by_path["predicted_probability"].dtype == np.float32
    assert (np.diff(by_path["predicted_probability"]) <= 0).all()
    assert list(by_path["error"]) == [""] * 3
    np.testing.assert_array_equal(by_path["id"], [0, 1, 2])
    contents = np.array([Path(path).read_bytes() for path in paths], object)
    pixels = np.stack([np.asarray(Image.open(path)) for path in paths])
    for column in ({"bytes": contents}, {"image": pixels}, {"image": list(pixels)}, {"image": pixels, "path": paths}):
        columns = predictor(column)
        assert best(columns) == best(by_path)
        assert not {"bytes", "image"} & set(columns)  # the pixels are not handed on
        np.testing.assert_array_equal(columns["predicted_probability"], by_path["predicted_probability"])


def test_bad_pictures_are_rows_with_an_error(folder, predictor):
    columns = predictor({"path": [str(folder / "red.png"), str(folder / "bad.png"), str(folder / "blue.png")]})
    assert best(columns) == ["red", "", "blue"]
    assert "not a picture" in columns["error"][1]
    assert np.isnan(columns["predicted_probability"][1]).all()
    assert not np.isnan(columns["predicted_probability"][[0, 2]]).any()
    missing = predictor({"bytes": np.array([None, b""], object)})
    assert ["missing" in missing["error"][0], "empty" in missing["error"][1]] == [True, True]


def test_columns_of_the_table_keep_their_names(folder, predictor):
    columns = predictor({"path": [str(folder / "red.png")], "label": np.array(["truth"])})
    assert columns["label"] == ["truth"]
    assert best(columns) == ["red"]


def test_empty_batch_gives_empty_columns(predictor):
    columns = predictor({"path": np.array([], object)})
    assert columns["predicted_probability"].shape == (0, 2)
    assert len(columns["error"]) == 0


def test_travels_without_its_model_and_answers_the_same(folder, predictor):
    batch = {"path": [str(folder / "red.png"), str(folder / "green.png")]}
    before = pickle.dumps(predictor)
    answers = predictor(batch)
    after = pickle.dumps(predictor)
    assert len(before) == len(after) < 1000
    np.testing.assert_array_equal(pickle.loads(after)(batch)["predicted_probability"], answers["predicted_probability"])


def test_model_is_loaded_once_and_not_before_the_first_batch(folder, monkeypatch):
    loads = []
    load_model = keras.models.load_model
    monkeypatch.setattr(keras.models, "load_model", lambda *a, **k: loads.append(a) or load_model(*a, **k))
    predictor = kc.Predictor(str(folder / "model.keras"))
    assert loads == []
    for _ in range(2):
        predictor({"path": [str(folder / "red.png")]})
    assert len(loads) == 1


def test_model_handed_over_travels_whole(folder):
    predictor = pickle.loads(pickle.dumps(kc.Predictor(colour_model(), labels=LABELS, top=1)))
    assert best(predictor({"path": [str(folder / "green.png")]})) == ["green"]


def test_batch_size_of_the_model_does_not_depend_on_the_batches(folder, monkeypatch):
    model = colour_model()
    predictor = kc.Predictor(model, batch_size=2)
    sizes = []
    answer = model.predict_on_batch
    monkeypatch.setattr(model, "predict_on_batch", lambda batch: sizes.append(len(batch)) or answer(batch))
    for count in (1, 5):
        predictor({"image": np.zeros((count, 5, 7, 3), np.uint8)})
    assert sizes == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("coatnet_zero",), {}, "Unknown variant 'coatnet_zero'"),
        (("nowhere.keras",), {}, "nowhere.keras: no such file"),
        (("a.keras", "imagenet"), {}, "a.keras holds its own, got weights='imagenet'"),
        (("coatnet_0",), {"top": 0}, "top must be a whole number"),
    ],
)
def test_wrong_arguments_are_refused_where_it_is_made(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        kc.Predictor(*arguments, **options)


def test_batch_without_pictures_is_refused(predictor):
    with pytest.raises(ValueError, match=r"image, bytes or path; got \['img'\]"):
        predictor({"img": []})
