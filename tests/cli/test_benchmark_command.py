"""`keras-coatnet benchmark`: rows for every subject and batch, on tiny sizes; nothing is said about how fast."""

import json

import keras
import numpy as np
import pytest
from narrow_twins import narrow_twin

import keras_coatnet as kc
from keras_coatnet.benchmark import subjects
from keras_coatnet.cli.main import main

ROUNDS = ["--rounds", "2"]


@pytest.fixture(autouse=True)
def short_measurements(monkeypatch):
    monkeypatch.setattr("keras_coatnet.benchmark.measure.seconds_of", lambda call, at_least: call() is None or 1.0)


@pytest.fixture
def narrow_variants(monkeypatch):
    """Builds by name give narrow twins."""
    monkeypatch.setattr(subjects.registry, "build", lambda name, **options: kc.build(narrow_twin(name), **options))


def test_every_subject_and_batch_gets_a_row(capsys, narrow_variants):
    options = ["coatnet_0", "--fused", "--image-size", "32x64", "--batch-size", "1", "2", *ROUNDS, "--json"]
    assert main(["benchmark", *options]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["name"], row["batch_size"]) for row in rows] == [
        ("coatnet_0", 1),
        ("coatnet_0 fused", 1),
        ("coatnet_0", 2),
        ("coatnet_0 fused", 2),
    ]
    assert all(row["runtime"] == keras.backend.backend() and row["image_size"] == [32, 64] for row in rows)
    assert all(len(row["seconds"]) == 2 and row["images_a_second"] == row["batch_size"] for row in rows)
    assert rows[0]["speed_over_first"] == 1.0


def test_saved_model_is_a_row_of_a_table(tmp_path, capsys):
    kc.CoAtNet(narrow_twin("coatnet_0"), input_shape=(32, 32, 3)).save(tmp_path / "mine.keras")
    assert main(["benchmark", str(tmp_path / "mine.keras"), "--batch-size", "1", *ROUNDS]) == 0
    text = capsys.readouterr().out
    assert "images/s" in text
    assert "32 x 32" in text


def test_unknown_name_is_refused_before_anything_is_built(capsys):
    assert main(["benchmark", "coatnet_0", "coatnet_0_rv"]) == 2
    assert "Unknown variant 'coatnet_0_rv'. Nearest: coatnet_0_rw" in capsys.readouterr().err


def test_missing_file_is_refused(capsys):
    assert main(["benchmark", "nowhere.onnx"]) == 2
    assert "nowhere.onnx: no such file" in capsys.readouterr().err


def test_model_that_answers_nan_is_refused(tmp_path, capsys):
    model = kc.CoAtNet(narrow_twin("coatnet_0"), input_shape=(32, 32, 3))
    model.get_layer("predictions").bias.assign(np.full(1000, np.nan, "float32"))
    model.save(tmp_path / "broken.keras")
    assert main(["benchmark", str(tmp_path / "broken.keras"), "--batch-size", "1", *ROUNDS]) == 2
    assert "answers NaN or infinity" in capsys.readouterr().err
