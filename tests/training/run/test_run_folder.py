"""What a run leaves is there whole or not at all."""

import dataclasses
import json
import os

import keras
import numpy as np
import pytest

from keras_coatnet.images.labels import read_labels
from keras_coatnet.training.recipes.rows import get_recipe
from keras_coatnet.training.run.folder import check_folder, save_run, write_recipe


def make_model():
    return keras.Sequential([keras.Input((4, 6, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])


def test_saved_run_holds_model_and_names(tmp_path):
    model = make_model()
    file = save_run(model, ["cat", "dog"], tmp_path / "new" / "run")
    assert sorted(path.name for path in file.parent.iterdir()) == ["classes.json", "model.keras", "model.weights.h5"]
    assert read_labels(file.parent / "classes.json") == ["cat", "dog"]
    images = np.random.default_rng(0).random((2, 4, 6, 3), "float32")
    reloaded = keras.models.load_model(file)
    np.testing.assert_allclose(reloaded.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6)


def test_failed_save_keeps_the_former_files_and_leaves_no_part(tmp_path, monkeypatch):
    model = make_model()
    file = save_run(model, ["cat", "dog"], tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def save_on_a_full_disk(self, path):
        with open(path, "wb") as part:
            part.write(b"half a mod")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", save_on_a_full_disk)
    monkeypatch.setattr(keras.Model, "save_weights", save_on_a_full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_run(model, ["cat", "dog"], tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert file.name == "model.keras"


def test_saved_model_is_without_its_optimizer(tmp_path):
    model = make_model()
    model.compile("adamw", "mse")
    assert not keras.models.load_model(save_run(model, ["cat", "dog"], tmp_path)).compiled


def test_weights_alone_are_left_on_request(tmp_path):
    assert save_run(make_model(), ["cat", "dog"], tmp_path, weights_only=True).name == "model.weights.h5"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classes.json", "model.weights.h5"]


@pytest.mark.backend_free
def test_room_is_asked_for_before_the_weights_are_written(tmp_path, monkeypatch):
    def find_it_full(handle, start, size):
        assert size > 2 * 4 * 146
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", find_it_full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        save_run(make_model(), ["cat", "dog"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["classes.json"]


@pytest.mark.backend_free
def test_run_knows_itself_again_when_its_recipe_is_told_in_other_words(tmp_path):
    recipe = json.loads(json.dumps(dataclasses.asdict(get_recipe("transfer").replace(epochs=30))))
    write_recipe(tmp_path, {"settings": {"recipe": recipe}})
    assert check_folder(tmp_path, {"recipe": recipe | {"source": "a page", "result": "82.2"}}) == "finished"
    with pytest.raises(ValueError, match=r"a finished run with other settings: recipe\.epochs was 30, is 3\."):
        check_folder(tmp_path, {"recipe": recipe | {"epochs": 3}})
