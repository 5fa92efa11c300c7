"""keras-coatnet app, up to the page itself."""

import sys

import pytest
from colour_models import colour_model

from keras_coatnet.app import models as models_module
from keras_coatnet.cli.app import model_sources
from keras_coatnet.cli.main import main

pytestmark = pytest.mark.backend_free


def refusal(capsys, *arguments):
    """The one line that says why there is no page."""
    assert main(["app", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


@pytest.fixture
def file(tmp_path):
    colour_model().save(tmp_path / "model.keras")
    return str(tmp_path / "model.keras")


def test_page_without_gradio_says_what_to_install(capsys, monkeypatch, file):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert "the page needs gradio: pip install 'keras-coatnet[app]'" in refusal(capsys, "--model", file)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("model.tflite", "model.tflite is an exported file, without gradients"),
        ("nowhere.keras", "nowhere.keras: no such file"),
        ("coatnet_zero", "Unknown variant 'coatnet_zero'"),
    ],
)
def test_impossible_model_is_refused(capsys, model, message):
    assert message in refusal(capsys, "--model", model)


def test_named_model_comes_before_those_of_the_cache(monkeypatch, file):
    monkeypatch.setattr(models_module, "cached_models", lambda: {"coatnet_0.imagenet": ("coatnet_0", "imagenet")})
    assert list(model_sources(file, None).sources) == [file, "coatnet_0.imagenet"]
    assert list(model_sources(None, None).sources) == ["default", "coatnet_0.imagenet"]
    assert model_sources("coatnet_0", "my.h5").sources["coatnet_0 with my.h5"] == ("coatnet_0", "my.h5")
    assert "coatnet_0 with my.h5" in model_sources(None, "my.h5").sources
