"""Growing pictures and a teacher, through the command."""

import csv
import json
import signal

import keras
import numpy as np
import pytest
from photo_folders import make_photos

from keras_coatnet import coatnet_spec, registry
from keras_coatnet.cli import train as train_command
from keras_coatnet.cli.main import main
from keras_coatnet.images.labels import CLASSES_FILE, write_labels

NAME = "coatnet_of_these_options"


@pytest.fixture(autouse=True)
def _small_variant(monkeypatch):
    monkeypatch.setitem(registry.FAMILIES[0].variants, NAME, coatnet_spec((1,), (8,), 4, layout="C", name=NAME))


def arguments(data, out, *options, epochs=2, side=32):
    plain = ["--set", "rand_augment_layers=0", "--batch-size", "4", "--image-size", str(side), "--epochs", str(epochs)]
    return ["train", "--data", str(data), "--model", NAME, "--out", str(out), *plain, *options]


def test_pictures_grow_and_a_stopped_run_goes_on(tmp_path, monkeypatch, capsys):
    class Impatient(train_command.ProgressCallback):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if self.epoch == 2:
                signal.raise_signal(signal.SIGTERM)

    data, out = make_photos(tmp_path / "data", cat=6, dog=6), tmp_path / "out"
    command = arguments(data, out, "--set", "growing=((1,32),)", epochs=3, side=64)
    with monkeypatch.context() as patch:
        patch.setattr(train_command, "ProgressCallback", Impatient)
        assert main(command) == 130
    assert main(command) == 0
    assert "going on from epoch 2, behind step 2 of 2" in capsys.readouterr().out
    rows = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    assert [row["image_size"] for row in rows] == [32, 64, 64]
    assert keras.models.load_model(out / "model.keras").input_shape == (None, 64, 64, 3)


def make_teacher(folder, classes):
    """One that takes every picture for one of the last class."""
    layer = keras.layers.Dense(len(classes), kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.GlobalAveragePooling2D(), layer])
    layer.bias.assign(np.eye(len(classes))[-1] * 20)
    folder.mkdir()
    model.save(folder / "teacher.keras")
    write_labels(folder / CLASSES_FILE, classes)
    return folder / "teacher.keras"


def test_student_learns_what_its_teacher_says(tmp_path, capsys):
    data, out = make_photos(tmp_path / "data", cat=10, dog=10), tmp_path / "out"
    teacher = make_teacher(tmp_path / "teacher", ["cat", "dog"])
    options = ["--teacher", str(teacher), "--set", "teacher_share=1", "--set", "mixup=0", "--learning-rate", "0.1"]
    assert main(arguments(data, out, *options, epochs=8)) == 0
    with open(out / "confusion.csv", newline="", encoding="utf-8") as file:
        counts = [[int(value) for value in row[1:]] for row in list(csv.reader(file))[1:]]
    assert [row[0] for row in counts] == [0, 0]
    assert main(arguments(data, out, epochs=8)) == 2
    assert f"teacher was {teacher}, is None" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--teacher", "model.weights.h5"], "--teacher must be a .keras file"),
        (["--teacher", "none.keras"], "none.keras: no such file"),
        (["--teacher", "owls"], "knows 2 other classes than the 2 of the data"),
        (["--teacher", "dogs", "--set", "growing=((1,32),)"], "do not go together; set growing=()"),
        (["--set", "growing=((1,24),)"], "24"),
        (["--set", "growing=((2,32),)"], "growing must leave epochs for image_size; got ((2, 32),) of 2 epochs"),
        (["--set", "growing=(1,32)"], "growing must be (epochs, side) pairs of whole numbers from 1 up; got (1, 32)"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(tmp_path, capsys, options, message):
    options = [
        str(make_teacher(tmp_path / each, ["cat", each.rstrip("s")])) if each in ("owls", "dogs") else each
        for each in options
    ]
    assert main(arguments(make_photos(tmp_path / "data", cat=6, dog=6), tmp_path / "out", *options)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
