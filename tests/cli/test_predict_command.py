"""keras-coatnet predict."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from colour_models import LABELS, colour_model
from PIL import Image

from keras_coatnet import registry
from keras_coatnet.cli import predict as predict_command
from keras_coatnet.cli.main import main
from keras_coatnet.images.labels import write_labels
from keras_coatnet.prediction import default_model
from keras_coatnet.prediction import load as load_module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    colour_model().save(folder / "model.keras")
    write_labels(folder / "classes.json", LABELS)
    (folder / "photos").mkdir()
    for index, colour in enumerate(["red", "lime", "blue", "black", "red"]):
        Image.new("RGB", (9, 5), colour).save(folder / "photos" / f"{index}.png")
    (folder / "bad.png").write_text("no picture")
    return folder


@pytest.fixture(autouse=True)
def _inside(folder, monkeypatch):
    monkeypatch.chdir(folder)


def run(*arguments, model="model.keras"):
    return main(["predict", *arguments, "--model", model])


def labels_of(text):
    """{path: first label} of text rows."""
    return {line.split(": ")[0]: line.split(": ")[1].split(" ")[0] for line in text.splitlines()}


def test_folder_is_answered_in_order_and_speed_is_said_on_standard_error(capsys):
    assert run("photos", "--top", "1", "--batch-size", "2") == 0
    out, err = capsys.readouterr()
    answers = labels_of(out)
    assert list(answers) == [f"photos/{index}.png" for index in range(5)]
    assert list(answers.values()) == ["red", "green", "blue", "dark", "red"]
    assert err.startswith("keras-coatnet predict: 5 pictures in ")
    assert "a second" in err
    assert "after the first batch" in err


def test_bad_files_are_reported_and_the_rest_goes_on(capsys):
    assert run("photos/0.png", "bad.png", "nowhere.png", "no/*.jpg", "photos/2.png", "--top", "1") == 1
    out, err = capsys.readouterr()
    assert labels_of(out) == {"photos/0.png": "red", "photos/2.png": "blue"}
    assert [line.split(": ", 1)[1] for line in err.splitlines()[:3]] == [
        "bad.png: not a picture in a format that PIL knows",
        "nowhere.png: No such file or directory",
        "no/*.jpg: no file matches this pattern",
    ]
    assert "2 pictures in" in err


def test_no_model_is_loaded_for_pictures_that_are_not_there(capsys, monkeypatch):
    monkeypatch.setattr(predict_command, "load", None)
    assert run("nowhere.png", "no/*.jpg", "--json") == 1
    out, err = capsys.readouterr()
    assert [json.loads(line)["path"] for line in out.splitlines()] == ["nowhere.png", "no/*.jpg"]
    assert err.count("\n") == 2


def test_json_has_a_line_for_every_picture(capsys):
    assert run("photos/1.png", "bad.png", "--json", "--top", "2") == 1
    good, bad = map(json.loads, capsys.readouterr().out.splitlines())
    assert good["path"] == "photos/1.png"
    assert good["predictions"][0]["label"] == "green"
    assert len(good["predictions"]) == 2
    assert bad == {"path": "bad.png", "error": "bad.png: not a picture in a format that PIL knows"}


def test_csv_opens_with_a_header(capsys):
    assert run("photos/1.png", "--csv", "--top", "3") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    assert rows[0]["label"] == "green"


@pytest.mark.parametrize(
    ("flags", "data"), [(("-",), b"photos/3.png\nphotos/1.png\n"), (("-0", "-"), b"photos/3.png\0")]
)
def test_paths_come_from_standard_input(capsys, monkeypatch, flags, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert run(*flags, "photos/0.png", "--top", "1") == 0
    answers = labels_of(capsys.readouterr().out)
    assert next(iter(answers.items())) == ("photos/3.png", "dark")
    assert list(answers)[-1] == "photos/0.png"


def test_one_batch_shape_whatever_the_number_of_pictures(monkeypatch):
    sizes = []
    model = colour_model()
    answer = model.predict_on_batch
    monkeypatch.setattr(model, "predict_on_batch", lambda batch: sizes.append(len(batch)) or answer(batch))
    monkeypatch.setattr(predict_command, "load", lambda *_: (model, LABELS))
    assert run("photos", "--batch-size", "2") == 0
    assert run("photos/0.png") == 0
    assert sizes == [2, 2, 2, 1]


def test_model_is_coatnet_0_with_imagenet_weights_unless_said_otherwise(capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(default_model, "fetch", lambda row, **_: "a.h5")
    monkeypatch.setattr(registry, "build", lambda name, **options: asked.append((name, options)) or colour_model())
    assert main(["predict", "photos/0.png"]) == 0
    assert main(["predict", "photos/0.png", "--model", "coatnet_2_rw", "--weights", "sw_in12k"]) == 0
    assert asked == [("coatnet_0", {"pretrained": "imagenet"}), ("coatnet_2_rw", {"pretrained": "sw_in12k"})]
    assert load_module.DEFAULT_WEIGHTS == "imagenet"


def test_logits_are_refused_in_one_line(capsys, monkeypatch):
    monkeypatch.setattr(predict_command, "load", lambda *_: (colour_model(activation=None), LABELS))
    assert run("photos/0.png") == 2
    err = capsys.readouterr().err
    assert "must be probabilities" in err
    assert err.count("\n") == 1


def test_labels_of_another_number_are_refused_in_one_line(capsys, tmp_path):
    colour_model().save(tmp_path / "model.keras")
    write_labels(tmp_path / "classes.json", ["one"])
    assert run("photos/0.png", model=str(tmp_path / "model.keras")) == 2
    assert "each of the 4 classes; got 1 names" in capsys.readouterr().err


def test_file_that_is_no_model_is_one_line(capsys, tmp_path):
    (tmp_path / "a.keras").write_text("no model")
    assert run("photos/0.png", model=str(tmp_path / "a.keras")) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_interruption_keeps_what_is_done(capsys, monkeypatch):
    model = colour_model()
    answer, calls = model.predict_on_batch, []

    def impatient(batch):
        calls.append(len(batch))
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return answer(batch)

    monkeypatch.setattr(model, "predict_on_batch", impatient)
    monkeypatch.setattr(predict_command, "load", lambda *_: (model, LABELS))
    assert run("photos", "--top", "1", "--batch-size", "2") == 130
    out, err = capsys.readouterr()
    assert list(labels_of(out)) == ["photos/0.png", "photos/1.png"]
    assert "2 pictures in" in err
    assert err.splitlines()[-1] == "interrupted"


def test_progress_bar_is_drawn_on_a_terminal_only(capsys, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert run("photos", "--top", "1") == 0
    assert len(labels_of(capsys.readouterr().out)) == 5  # rows that go to a file or a pipe stay out of the bar's way
    assert "pictures" in sys.stderr.getvalue()
    assert "\x1b[" in sys.stderr.getvalue()


@pytest.mark.backend_free
def test_reader_that_goes_away_ends_it_quietly(folder):
    """As `| head -1` does; in a process of its own, since it closes standard output."""
    code = "import sys; from keras_coatnet.cli.main import main; sys.exit(main(sys.argv[1:]))"
    many = ["photos"] * 200
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", code, "predict", *many, "--model", "model.keras"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, env=environment, text=True
    ) as process:
        first = process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert first.startswith("photos/0.png: red")
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert "Broken" not in errors


def test_answers_equal_those_of_python(capsys):
    from keras_coatnet import predict

    assert run("photos/1.png", "--json", "--top", "4") == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    (expected,) = predict(colour_model(), ["photos/1.png"], top=4, labels=LABELS)
    assert [guess["label"] for guess in row["predictions"]] == [guess.label for guess in expected]
    np.testing.assert_allclose(
        [guess["probability"] for guess in row["predictions"]], [guess.probability for guess in expected], atol=1e-6
    )
