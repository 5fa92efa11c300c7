"""Training from released weights and from a file, and measuring released weights: how commands find a checkpoint."""

import json

import numpy as np
import pytest
from fetching import home as home
from fetching import server as server
from fetching import sha256
from photo_folders import make_photos
from server import file

import keras_coatnet as kc
from keras_coatnet import registry
from keras_coatnet.cli.main import main
from keras_coatnet.images.labels import label_set

NAME = "coatnet_of_these_weights"
SIDE = 32
PREPROCESSING = {
    "mean": [0.4] * 3,
    "std": [0.6] * 3,
    "crop": 1.0,
    "crop_mode": "squash",
    "order": "resize_then_crop",
    "interpolation": "bilinear",
}


@pytest.fixture(autouse=True)
def _small_variant(monkeypatch):
    spec = kc.coatnet_spec((1,), (8,), 4, layout="C", name=NAME, input_size=SIDE)
    monkeypatch.setitem(registry.FAMILIES[0].variants, NAME, spec)


@pytest.fixture
def released(home, server, tmp_path, monkeypatch):
    """A model whose weights a server on loopback has, by a manifest's row with the tag "imagenet"."""
    model = kc.build(NAME, input_shape=(SIDE, SIDE, 3), num_classes=1000)
    path = tmp_path / "released.weights.h5"
    model.save_weights(path)
    data = path.read_bytes()
    server.routes["/released.weights.h5"] = file(data)
    stored = {"url": server.url("/released.weights.h5"), "file": path.name, "format": "keras_v3"}
    stored |= {"sha256": sha256(data), "size": len(data), "sha256_prefix": None, "md5": None}
    row = {"variant": NAME, "tag": "imagenet", "input_size": SIDE, "num_classes": 1000, "source": "keras"}
    row |= {"files": [stored], "preprocessing": PREPROCESSING, "default": True, "labels": "imagenet-1k"}
    row |= {"licence": None, "trained_on": "noise", "accuracy": []}
    (tmp_path / "manifest.json").write_text(json.dumps([row]))
    monkeypatch.setenv("KERAS_COATNET_MANIFEST", str(tmp_path / "manifest.json"))
    return model


def train(data, out, *options):
    """Trains all but the stem, so that the stem's kernels show what was started from."""
    plain = ["--set", "rand_augment_layers=0", "--set", "frozen_stages=1", "--image-size", str(SIDE)]
    command = ["train", "--data", str(data), "--model", NAME, "--out", str(out), "--epochs", "1", "--batch-size", "4"]
    assert main([*command, *plain, *options]) == 0
    return json.loads((out / "recipe.json").read_text())


def stem_kernels(model):
    return [weight for weight in model.get_layer("stem").get_weights() if weight.ndim == 4]


def test_training_starts_from_a_tag_and_leaves_weights_alone(released, tmp_path, capsys):
    data, out = make_photos(tmp_path / "data", cat=6, dog=6), tmp_path / "out"
    about = train(data, out, "--pretrained", "imagenet", "--weights-only")
    assert f"weights: {out / 'model.weights.h5'}" in capsys.readouterr().out
    assert not (out / "model.keras").exists()
    assert about["preprocessing"] == PREPROCESSING
    trained = kc.build(NAME, input_shape=(SIDE, SIDE, 3), num_classes=2, pretrained=str(out / "model.weights.h5"))
    for found, expected in zip(stem_kernels(trained), stem_kernels(released), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert main(["evaluate", "--data", str(data), "--weights", str(out / "model.weights.h5"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 12


def test_training_starts_from_a_file(released, tmp_path):
    data, out = make_photos(tmp_path / "data", cat=6, dog=6, owl=6), tmp_path / "out"
    train(data, out, "--pretrained", str(tmp_path / "released.weights.h5"))
    trained = kc.build(NAME, input_shape=(SIDE, SIDE, 3), num_classes=3, pretrained=str(out / "model.keras"))
    for found, expected in zip(stem_kernels(trained), stem_kernels(released), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_released_weights_are_measured_by_their_tag(released, tmp_path, capsys):
    """Folders go by WordNet ids or labels, and pictures are made ready as the row says."""
    data = make_photos(tmp_path / "data", **{"n01440764": 3, label_set("imagenet-1k")[1].label: 2})
    assert main(["evaluate", "--data", str(data), "--model", NAME, "--weights", "imagenet", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["images"], found["image_size"]) == (5, [SIDE, SIDE])
    files = sorted(data.glob("*/*.png"))
    inputs = kc.preprocess_input([str(path) for path in files], kc.build(NAME, pretrained="imagenet"))
    labels = np.array([0 if path.parent.name.startswith("n") else 1 for path in files])
    probabilities = released.predict(inputs, verbose=0)
    assert found["loss"] == pytest.approx(-np.log(probabilities[np.arange(5), labels]).mean(), rel=1e-5)
    assert found["top1"] == np.mean(probabilities.argmax(-1) == labels)


def test_unknown_tag_is_refused_with_the_known_ones_and_nothing_is_left(released, tmp_path, capsys):
    data = make_photos(tmp_path / "data", cat=6, dog=6)
    command = ["train", "--data", str(data), "--model", NAME, "--out", str(tmp_path / "out"), "--pretrained", "imagnet"]
    assert main(command) == 2
    assert "imagenet" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
