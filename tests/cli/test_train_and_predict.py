"""From a folder of pictures to a model file to labels."""

import json
import signal

import keras
import numpy as np
import pytest
from PIL import Image

from keras_coatnet import coatnet_spec, registry
from keras_coatnet.cli import train as train_command
from keras_coatnet.cli.main import main
from keras_coatnet.prediction.inputs import preprocessing_of
from keras_coatnet.training.recipes import get_recipe

SMALL = "coatnet_of_these_tests"


@pytest.fixture(autouse=True, scope="module")
def _small_variant():
    """The commands take names; this one compiles in seconds."""
    spec = coatnet_spec((1,), (8,), 4, layout="C", name=SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.FAMILIES[0].variants, SMALL, spec)
        yield


def make_data(folder, count=6):
    generator = np.random.default_rng(0)
    for name, colour in (("night sky", 30), ("snow", 220)):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            noise = generator.integers(0, 30, (40, 30, 3), np.uint8) + np.uint8(colour)
            Image.fromarray(noise).save(folder / name / f"{index}.png")
    return folder


def train_arguments(data, out, **options):
    options = {"epochs": 2, "batch-size": 4, "image-size": 32} | options
    extra = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    return ["train", "--data", str(data), "--model", SMALL, "--out", str(out), *extra]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    data = make_data(folder / "data")
    plain = {"learning-rate": 0.01, "set": "rand_augment_layers=0"}
    assert main(train_arguments(data, folder / "out", epochs=15, **plain)) == 0
    return folder / "out"


def test_train_leaves_one_file_of_weights_and_what_came_out(run_folder):
    assert sorted(path.name for path in run_folder.iterdir()) == [
        "classes.csv",
        "classes.json",
        "confusion.csv",
        "confusion.png",
        "curves.png",
        "history.csv",
        "history.jsonl",
        "model.keras",
        "model.weights.h5",
        "recipe.json",
    ]


def test_predict_names_pictures_with_the_classes_beside_the_model(run_folder, tmp_path, capsys):
    data = make_data(tmp_path, count=1)
    pictures = [str(data / "snow" / "0.png"), str(data / "night sky" / "0.png")]
    assert main(["predict", *pictures, "--model", str(run_folder / "model.keras"), "--top", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.rsplit(" ", 1)[0] for line in lines] == [f"{pictures[0]}: snow", f"{pictures[1]}: night sky"]


def test_predict_reports_a_bad_file_and_goes_on(run_folder, tmp_path, capsys):
    data = make_data(tmp_path, count=1)
    (tmp_path / "bad.png").write_text("no picture")
    pictures = [str(data / "snow" / "0.png"), str(tmp_path / "bad.png"), str(data / "night sky" / "0.png")]
    assert main(["predict", *pictures, "--model", str(run_folder / "model.keras")]) == 1
    out, err = capsys.readouterr()
    assert [line.split(":")[0] for line in out.splitlines()] == [pictures[0], pictures[2]]
    assert err.splitlines()[0] == f"keras-coatnet predict: {pictures[1]}: not a picture in a format that PIL knows"


def test_saved_model_remembers_what_was_done_to_its_pictures(run_folder):
    model = keras.models.load_model(run_folder / "model.keras", compile=False)
    assert preprocessing_of(model) == get_recipe("transfer").preprocessing()


def test_train_tells_the_accuracy_on_held_out_images(tmp_path, capsys):
    make_data(tmp_path / "data" / "train")
    make_data(tmp_path / "data" / "val", count=3)
    assert main(train_arguments(tmp_path / "data", tmp_path / "out")) == 0
    out = capsys.readouterr().out
    assert "accuracy on 6 held-out images: " in out
    assert "epoch 2/2: loss" in out
    assert f"model: {tmp_path / 'out' / 'model.keras'}" in out


def test_interrupted_training_goes_on_with_the_same_command(tmp_path, capsys, monkeypatch):
    class Impatient(train_command.ProgressCallback):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if self.epoch == 2:
                signal.raise_signal(signal.SIGTERM)

    arguments = train_arguments(make_data(tmp_path / "data"), tmp_path / "out", epochs=3)
    with monkeypatch.context() as patch:
        patch.setattr(train_command, "ProgressCallback", Impatient)
        assert main(arguments) == 130
    out, err = capsys.readouterr()
    assert "stopped in epoch 2, behind step 2 of 2; the same command goes on from there:\n  keras-coatnet train" in out
    assert "once more to stop without saving" in err
    assert not (tmp_path / "out" / "model.keras").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(SystemExit):
        main([*arguments, "--seed", "-1"])
    assert main([*arguments, "--seed", "1"]) == 2
    assert "unfinished run with other settings: " in capsys.readouterr().err
    assert main(arguments) == 0
    assert "going on from epoch 2, behind step 2 of 2" in capsys.readouterr().out
    assert not (tmp_path / "out" / "resume").exists()
    assert main(arguments) == 0
    assert "this run is finished: accuracy on 2 held-out images: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("damage", "options", "message"),
    [
        (lambda data, out: None, {"recipe": "transfr"}, "There is no recipe 'transfr'. Nearest: transfer"),
        (lambda data, out: None, {"set": "learning_rte=1"}, "no field 'learning_rte'. Nearest: learning_rate"),
        (lambda data, out: None, {"model-set": "head_dm=8"}, "no field 'head_dm'. Nearest: head_dim"),
        (lambda data, out: None, {"set": "warmup_steps=99"}, "warmup_epochs or warmup_steps, not both"),
        (lambda data, out: None, {"set": "loss='binary'"}, "loss must be one of"),
        (lambda data, out: out.write_text("a file"), {}, "File exists"),
        (lambda data, out: None, {"image-size": 16}, "32"),
    ],
)
def test_train_refuses_bad_input_before_any_work(tmp_path, capsys, damage, options, message):
    data, out = make_data(tmp_path / "data"), tmp_path / "out"
    damage(data, out)
    assert main(train_arguments(data, out, **options)) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not out.is_dir()


def test_evaluate_knows_a_run_by_its_weights(run_folder, tmp_path, capsys):
    data = make_data(tmp_path / "data")
    (data / "snow" / "bad.png").write_text("no picture")
    assert main(["evaluate", "--data", str(data), "--weights", str(run_folder / "model.weights.h5"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["images"], found["image_size"], found["top5"]) == (12, [32, 32], 1.0)
    assert [name.rsplit("/", 1)[1] for name in found["skipped"]] == ["bad.png"]
    assert (
        main(["evaluate", "--data", str(data), "--model", str(run_folder / "model.keras"), "--image-size", "64"]) == 0
    )
    out = capsys.readouterr().out
    assert "images   12 at 64 x 64\ntop-1    " in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "coatnet_00", "--weights", "x"], "Unknown variant 'coatnet_00'. Nearest: "),
        (["--model", SMALL], f"--weights must be a tag or a file for the variant {SMALL}"),
        ([], "--model must name a variant or a .keras file"),
        (["--model", "no.keras"], "no.keras: no such file"),
    ],
)
def test_evaluate_refuses_what_it_cannot_do(tmp_path, capsys, options, message):
    assert main(["evaluate", "--data", str(tmp_path), *options]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
