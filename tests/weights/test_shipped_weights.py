"""The small model whose weights are part of the package: what its file is, and what it says of photographs."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from fetching import home as home

import keras_coatnet as kc
from keras_coatnet.deploy.photographs import FOLDER as PHOTOGRAPHS
from keras_coatnet.prediction.load import load
from keras_coatnet.weights.in_package import path_in_package
from keras_coatnet.weights.manifest import load_manifest

LARGEST_FILE = 8_000_000
CATS = {"tabby", "Persian cat", "Egyptian cat"}


@pytest.fixture(scope="module")
def row():
    (row,) = [row for row in load_manifest() if path_in_package(row)]
    return row


@pytest.mark.backend_free
def test_file_is_small_and_the_one_of_the_manifest(row):
    content = Path(path_in_package(row)).read_bytes()
    assert len(content) <= LARGEST_FILE
    (file,) = row.files
    assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.usefixtures("home")
def test_it_loads_without_a_network_or_a_cache_and_knows_photographs(row, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_COATNET_OFFLINE", "1")
    model, _ = load(row.variant, row.tag)
    assert model.output_shape == (None, row.num_classes)
    assert all(np.isfinite(value).all() for value in model.get_weights())
    cat, coffee = kc.predict(model, [PHOTOGRAPHS / "chelsea.jpg", PHOTOGRAPHS / "coffee.jpg"], top=3)
    assert CATS & {guess.label.partition(",")[0] for guess in cat}
    assert coffee[0].label == "espresso"
    assert not (tmp_path / "home").exists() or not any((tmp_path / "home").rglob("*.h5"))
