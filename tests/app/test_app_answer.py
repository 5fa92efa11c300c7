"""What a page shows of a picture, without the page."""

import numpy as np
import pytest
from explained_models import LABELS, coatnet, noise
from PIL import Image
from running import quick_compilation

from keras_coatnet.app import models as models_module
from keras_coatnet.app.answer import LONGEST, answer, blend
from keras_coatnet.app.models import LAST_STAGE, Models
from keras_coatnet.images.read import UnreadableImage


@pytest.fixture(scope="module")
def models():
    model, loaded = coatnet(), []

    def load(name, weights):
        loaded.append(name)
        return model, LABELS

    with pytest.MonkeyPatch.context() as patch, quick_compilation():
        patch.setattr(models_module, "load", load)
        models = Models({"a": ("a.keras", None), "b": ("b", "tag")})
        models.loaded = loaded
        yield models


def test_picture_is_answered_with_labels_and_heat(models, tmp_path):
    path = tmp_path / "cat.png"
    Image.fromarray(noise((900, 1200))).save(path)
    found = answer(models, "a", LAST_STAGE, path)
    assert found.picture.shape == (576, LONGEST, 3)
    assert found.heat.shape == (576, LONGEST)
    assert 0 <= found.heat.min() < found.heat.max() <= 1
    assert {label for label, _ in found.guesses} == set(LABELS)
    assert found.about == found.guesses[0][0]
    assert sum(share for _, share in found.guesses) == pytest.approx(1, abs=1e-4)
    assert found.seconds > 0


def test_text_is_no_picture(models, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("no picture")
    with pytest.raises(UnreadableImage, match=r"notes\.txt: not a picture"):
        answer(models, "a", LAST_STAGE, path)


def test_one_model_is_held_until_another_is_asked_for(models, monkeypatch):
    monkeypatch.setattr(models_module, "GradCAM", lambda model, stage, labels: lambda pictures, target: stage)
    models.loaded.clear()
    asked = [("b", "stem"), ("b", LAST_STAGE), ("b", "stem"), ("a", "stem")]
    assert [models.explain(name, stage, None)[1] for name, stage in asked] == ["stem", None, "stem", "stem"]
    assert models.loaded == ["b", "a.keras"]


def test_default_model_answers_where_none_is_named(monkeypatch):
    monkeypatch.setattr(models_module, "load_default", lambda: ("default model", LABELS))
    monkeypatch.setattr(models_module, "GradCAM", lambda model, stage, labels: lambda pictures, target: model)
    assert Models({"default": (None, None)}).explain("default", LAST_STAGE, None)[1] == "default model"


@pytest.mark.backend_free
def test_slider_goes_from_the_picture_to_the_heat():
    picture, heat = noise((4, 6)), np.zeros((4, 6), "float32")
    heat[1, 2] = 1
    np.testing.assert_array_equal(blend(picture, heat, 0), picture)
    full = blend(picture, heat, 1.0)
    assert full[1, 2, 0] > 100 > full[1, 2, 2]  # red
    assert not np.array_equal(blend(picture, heat, 0.5), full)
