"""keras-coatnet explain."""

import numpy as np
import pytest
from explained_models import LABELS, coatnet, noise
from PIL import Image
from running import quick_compilation

from keras_coatnet.cli.main import main
from keras_coatnet.images.labels import write_labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    coatnet().save(folder / "model.keras")
    write_labels(folder / "classes.json", LABELS)
    (folder / "photos" / "more").mkdir(parents=True)
    for index, path in enumerate(("cat.png", "dog.png", "more/cat.png")):
        Image.fromarray(noise(seed=index)).save(folder / "photos" / path)
    (folder / "photos" / "bad.png").write_text("no picture")
    return folder


@pytest.fixture(autouse=True)
def _inside(folder, monkeypatch):
    monkeypatch.chdir(folder)


def run(*arguments, model="model.keras"):
    with quick_compilation():
        return main(["explain", *arguments, "--model", model])


def refusal(capsys, *arguments, **options):
    """The one line that says why the command did not begin."""
    assert run(*arguments, **options) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err.removeprefix("keras-coatnet explain: error: ").strip()


def test_each_picture_becomes_one_and_bad_files_are_reported(folder, capsys):
    assert run("photos", "--class", "dog", "--out", "explained") == 1
    out, err = capsys.readouterr()
    assert err == "keras-coatnet explain: photos/bad.png: not a picture in a format that PIL knows\n"
    assert [line.split(" -> ")[1] for line in out.splitlines()] == [
        "explained/cat.png",
        "explained/dog.png",
        "explained/cat-2.png",
    ]
    assert all(": dog " in line for line in out.splitlines())
    for name in ("cat", "dog", "cat-2"):
        drawn = np.asarray(Image.open(folder / "explained" / f"{name}.png").convert("RGB"))
        assert drawn.shape[1] > 2 * drawn.shape[0] > 800
        assert drawn.std() > 20


def test_one_picture_goes_to_the_file_that_is_named(folder, capsys):
    assert run("photos/cat.png", "--stage", "1", "--out", "why.jpg") == 0
    assert capsys.readouterr().out.endswith("% -> why.jpg\n")
    with Image.open(folder / "why.jpg") as picture:
        assert picture.format == "JPEG"


def test_wrong_arguments_are_refused_in_one_line(capsys, folder):
    assert refusal(capsys, "photos/cat.png", "--out", "a.png", "--class", "kat").endswith("Nearest: cat.")
    assert "Stages of 'coatnet_custom': 'stem'" in refusal(capsys, "photos/cat.png", "--out", "a.png", "--stage", "9")
    assert not (folder / "a.png").exists()


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("photos", "--out", "a.png"), "--out must be a folder for 4 pictures; got the file a.png"),
        (("photos/cat.png", "--out", "a.gif"), "--out must be a folder or end with .png, .jpg"),
        (("photos/cat.png", "--out", "nowhere/a.png"), "nowhere: no such folder"),
        (("photos/cat.png", "--out", "classes.json/a"), "Not a directory"),
    ],
)
def test_impossible_output_is_refused_before_a_model_is_loaded(capsys, monkeypatch, arguments, message):
    monkeypatch.setattr("keras_coatnet.cli.explain.load", None)
    assert message in refusal(capsys, *arguments)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("model.onnx", "model.onnx is an exported file, without gradients: name a variant or a .keras file"),
        ("nowhere.keras", "nowhere.keras: no such file"),
        ("coatnet_zero", "Unknown variant 'coatnet_zero'"),
    ],
)
def test_impossible_model_is_refused(capsys, model, message):
    assert message in refusal(capsys, "photos/cat.png", "--out", "a.png", model=model)


def test_default_model_answers_where_none_is_named(capsys, monkeypatch):
    monkeypatch.setattr("keras_coatnet.cli.explain.load_default", lambda: (coatnet(), LABELS))
    assert main(["explain", "photos/cat.png", "--class", "lion", "--out", "a.png"]) == 2
    assert "No class is called 'lion': the model knows 5 classes" in capsys.readouterr().err


@pytest.mark.backend_free
def test_no_model_is_loaded_for_pictures_that_are_not_there(capsys, monkeypatch):
    monkeypatch.setattr("keras_coatnet.cli.explain.load", None)
    assert run("nowhere.png", "--out", "a.png") == 1
    assert capsys.readouterr().err == "keras-coatnet explain: nowhere.png: No such file or directory\n"


@pytest.mark.backend_free
def test_nothing_begins_without_matplotlib(capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    message = refusal(capsys, "photos/cat.png", "--out", "a.png")
    assert message == "pictures are drawn with matplotlib: pip install 'keras-coatnet[explain]'"
