"""Which model answers where nobody names one."""

import dataclasses
import json

import pytest
from fetching import home as home

import keras_coatnet as kc
from keras_coatnet.images.preprocess import Preprocessing
from keras_coatnet.prediction import default_model
from keras_coatnet.prediction.default_model import load_default
from keras_coatnet.weights import in_package
from keras_coatnet.weights.cache import cached_path
from keras_coatnet.weights.download.fetch import DownloadError
from keras_coatnet.weights.manifest import row_from_json

pytestmark = pytest.mark.usefixtures("home")
VARIANT, SIDE = "coatnet_tiny64", 32


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setenv("KERAS_COATNET_OFFLINE", "1")


@pytest.fixture
def row(tmp_path, monkeypatch):
    """Function that puts a row in front of the shipped ones."""

    def put(url, **fields):
        entry = {
            "variant": VARIANT,
            "tag": "mine",
            "input_size": SIDE,
            "num_classes": 3,
            "source": "keras",
            "files": [{"url": url, "file": "mine.weights.h5", "format": "keras_v3"}],
            "preprocessing": dataclasses.asdict(Preprocessing()),
            **fields,
        }
        (tmp_path / "manifest.json").write_text(json.dumps([entry]))
        monkeypatch.setenv("KERAS_COATNET_MANIFEST", str(tmp_path / "manifest.json"))
        return row_from_json(entry)

    return put


def write_weights(path, classes):
    path.parent.mkdir(parents=True, exist_ok=True)
    kc.save_checkpoint(kc.CoAtNet(VARIANT, input_shape=(SIDE, SIDE, 3), num_classes=classes), path)


def test_imagenet_model_is_fetched_where_it_can_be(monkeypatch, caplog):
    asked = []
    monkeypatch.setattr(default_model, "fetch", lambda row, **_: asked.append(row.key))
    monkeypatch.setattr(default_model, "load", lambda *names: names)
    assert load_default() == ("coatnet_0",)
    assert asked == [("coatnet_0", "imagenet", 224)]
    assert not caplog.records


@pytest.mark.usefixtures("offline")
def test_model_of_the_package_answers_without_a_network_and_says_so(row, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(in_package, "FOLDER", tmp_path / "files")
    write_weights(tmp_path / "files" / "mine.weights.h5", classes=3)
    row("package:mine.weights.h5")
    model, labels = load_default()
    assert (model.output_shape, labels) == ((None, 3), None)
    assert model.origin["name"] == f"{VARIANT}.mine"
    said = caplog.messages[-1]
    assert said.startswith("coatnet_0 cannot be fetched and no ImageNet model is in the cache")
    assert "knows 3 classes" in said
    assert said.endswith("keras-coatnet download coatnet_0")


@pytest.mark.usefixtures("offline")
def test_imagenet_model_of_the_cache_goes_before_that_of_the_package(row, tmp_path, caplog):
    mine = row("https://localhost/mine.weights.h5", labels="imagenet-1k", num_classes=1000)
    write_weights(tmp_path / "mine.weights.h5", classes=1000)
    target = cached_path(mine, mine.files[0])
    (tmp_path / "home" / mine.name / str(SIDE)).mkdir(parents=True)
    (tmp_path / "mine.weights.h5").rename(target)
    model, _ = load_default()
    assert model.input_shape == (None, SIDE, SIDE, 3)
    assert model.output_shape == (None, 1000)
    assert f"coatnet_0 cannot be fetched; {mine.name}, which is in the cache, answers." in caplog.messages


@pytest.mark.usefixtures("offline")
def test_failed_download_is_told_where_nothing_else_can_answer(monkeypatch):
    monkeypatch.setattr(default_model, "path_in_package", lambda row: None)
    with pytest.raises(DownloadError, match=r"coatnet_0\.imagenet at 224 could not be had"):
        load_default()
