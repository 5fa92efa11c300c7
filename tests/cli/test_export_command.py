"""keras-coatnet export, and predict on what it wrote."""

import json

import pytest
from running import BACKEND
from small_models import tiny

from keras_coatnet.cli import export as export_command
from keras_coatnet.cli.main import main
from keras_coatnet.deploy.handover import ExportFailed
from keras_coatnet.deploy.photographs import FOLDER
from keras_coatnet.deploy.verify import DiffersTooMuch
from keras_coatnet.images.labels import write_labels

# Written in this process, so quick.
ENDING = {"tensorflow": "", "torch": ".pt2", "jax": ".stablehlo"}[BACKEND]
LABELS = ["astronaut", "cat", "coffee", "rocket", "Bär"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    tiny().save(folder / "model.keras")
    write_labels(folder / "classes.json", LABELS)
    return folder


@pytest.fixture(autouse=True)
def _inside(folder, monkeypatch):
    monkeypatch.chdir(folder)


@pytest.fixture
def asked(monkeypatch):
    """Arguments that reach `export`, which does nothing."""
    calls = []
    monkeypatch.setattr(export_command, "export", lambda *arguments, **options: calls.append((arguments, options)))
    return calls


def run(*arguments):
    return main(["export", "model.keras", *arguments])


@pytest.mark.parametrize("inputs", ["float", "uint8"])
def test_exported_file_predicts_what_its_model_does(folder, capsys, inputs):
    file = f"shipped_{inputs}{ENDING}"
    assert run(file, "--inputs", inputs) == 0
    out = capsys.readouterr().out
    assert out.startswith(str(folder / file) + ": ")
    assert "logits differ by" in out
    assert out.count("\n") == 1
    answers = []
    for model in ("model.keras", file):
        assert main(["predict", str(FOLDER), "--model", model, "--json"]) == 0
        answers.append([json.loads(line) for line in capsys.readouterr().out.splitlines()])
    for expected, found in zip(*answers, strict=True):
        assert found["path"] == expected["path"]
        probabilities = [
            {each["label"]: each["probability"] for each in row["predictions"]} for row in (expected, found)
        ]
        assert set(probabilities[0]) == set(LABELS)
        assert probabilities[1] == pytest.approx(probabilities[0], abs=1e-5 if inputs == "float" else 1e-2)


def test_every_option_reaches_export(asked):
    assert run("a.tflite") == 0
    ((model, path, format), options) = asked.pop()
    assert (model.name, path, format) == ("tiny", "a.tflite", None)
    labels = options.pop("labels")
    assert labels == LABELS
    assert options == {
        "batch_size": None,
        "image_size": None,
        "inputs": "float",
        "quantization": None,
        "representative": None,
        "tolerance": None,
        "force": False,
    }
    said = "a.tflite --format litert --batch-size dynamic --image-size 32x48 --inputs uint8 --quantization int8"
    assert run(*said.split(), "--representative", "photos", "--tolerance", "0.5", "--force") == 0
    ((_, _, format), options) = asked.pop()
    assert format == "litert"
    assert {name: value for name, value in options.items() if name != "labels"} == {
        "batch_size": "dynamic",
        "image_size": (32, 48),
        "inputs": "uint8",
        "quantization": "int8",
        "representative": "photos",
        "tolerance": 0.5,
        "force": True,
    }


def test_a_number_is_a_batch_and_a_square(asked):
    assert run("a.onnx", "--batch-size", "8", "--image-size", "64") == 0
    ((_, options),) = asked
    assert (options["batch_size"], options["image_size"]) == (8, (64, 64))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a.onx",), "says no format: .tflite, .onnx"),
        (("a.onnx", "--format", "onxx"), "format must be one of"),
        (("nowhere/a.onnx",), "There is no folder"),
        (("model.keras/a.onnx",), "There is no folder"),
        (("a.onnx", "--batch-size", "0"), "must be a whole number from 1 up or dynamic; got '0'"),
        (("a.onnx", "--image-size", "32x"), "must be N or HxW, whole numbers from 1 up; got '32x'"),
        (("a.onnx", "--image-size", "64"), "image_size asks for (64, 64)"),
        (("a.onnx", "--tolerance", "-1"), "must be a number above 0; got '-1'"),
        (("a.onnx", "--inputs", "jpeg"), "onnx files cannot have --inputs 'jpeg'"),
        (("a.tflite", "--quantization", "int8"), "say --representative, a folder"),
        (("a.tflite", "--representative", "nowhere"), "nowhere: No such file"),
    ],
)
@pytest.mark.backend_free
def test_bad_arguments_are_one_line_with_the_options_own_names(capsys, arguments, said):
    # What argparse refuses ends the process.
    try:
        code = run(*arguments)
    except SystemExit as exit:
        code = exit.code
    assert code == 2
    out, err = capsys.readouterr()
    assert said in err
    assert err.count("\n") == 1
    assert out == ""


@pytest.mark.backend_free
def test_unknown_model_and_existing_file_are_said_before_anything_is_loaded(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(export_command, "load", None)
    there = tmp_path / "there.onnx"
    there.write_text("kept")
    assert main(["export", "coatnet_9", "a.onnx"]) == 2
    assert "Unknown variant 'coatnet_9'. Nearest: " in capsys.readouterr().err
    assert run(str(there)) == 2
    assert "is there already; --force replaces it" in capsys.readouterr().err
    assert there.read_text() == "kept"


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ExportFailed("a.onnx could not be written: odd"), 1, "a.onnx could not be written: odd"),
        (DiffersTooMuch("too far; tolerance= sets another.", 1.0, 0.5), 1, "too far; --tolerance sets another."),
        (ModuleNotFoundError("needs torch"), 2, "needs torch"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_failures_are_one_line_and_an_exit_code(capsys, monkeypatch, error, code, said):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(export_command, "export", fail)
    assert run("a.onnx") == code
    err = capsys.readouterr().err
    assert err.rstrip().endswith(said)
    assert err.count("\n") == 1


@pytest.mark.backend_free
def test_predict_refuses_exported_files_that_are_not_there_and_weights_for_them(capsys):
    assert main(["predict", str(FOLDER), "--model", "nowhere.onnx"]) == 2
    assert "nowhere.onnx: no such file" in capsys.readouterr().err
    assert main(["predict", str(FOLDER), "--model", "nowhere.onnx", "--weights", "imagenet"]) == 2
    assert "--weights go with a variant's name" in capsys.readouterr().err
