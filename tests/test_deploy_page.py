"""docs/deploy.md: every program on it runs as it stands, on files that export has just written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from narrow_twins import narrow_twin
from running import BACKEND, randomize

import keras_coatnet as kc
from keras_coatnet.deploy import export as export_module
from keras_coatnet.deploy import verify
from keras_coatnet.deploy.formats import FORMATS
from keras_coatnet.deploy.photographs import open_photographs

PAGE = (Path(__file__).parents[1] / "docs" / "deploy.md").read_text(encoding="utf-8")
FILES = ("model.onnx", "model.xml", "model.tflite", "served", "model.pt2", "model.stablehlo")
CLASSES = [f"class {number}" for number in range(7)]


def programs():
    """The programs under "Reading the files", by the file that each reads."""
    section = PAGE.split("## Reading the files")[1].split("\n## ")[0]
    blocks = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return {next(file for file in FILES if f'"{file}"' in block): block for block in blocks}


def test_every_format_is_named_with_its_ending():
    table = PAGE.split("## Which one")[1].split("\n## ")[0]
    for format in FORMATS.values():
        assert all(f"`{ending}`" in table for ending in format.endings)
    assert set(programs()) == set(FILES)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "torch", reason="the files are the same from every backend; one is enough")
def test_every_program_names_the_class_that_the_model_does(tmp_path):
    model = kc.CoAtNet(narrow_twin("coatnet_0"), input_shape=(64, 96, 3), num_classes=len(CLASSES))
    randomize(model)
    photograph = open_photographs(None)[0]
    (tmp_path / "cat.jpg").write_bytes(photograph.encoded())
    for file, program in programs().items():
        inputs = "jpeg" if file == "served" else "uint8"
        kc.export(model, tmp_path / file, inputs=inputs, labels=CLASSES)
        found = read(program, tmp_path)
        expected = answer(model, tmp_path / "cat.jpg", squashed=inputs == "uint8")
        assert found[0] == CLASSES[expected.argmax()], file
        assert found[1] == pytest.approx(expected.max(), abs=1e-3), file


@pytest.mark.skipif(BACKEND != "torch", reason="tests/deploy exports and fuses on each; one is enough for the page")
def test_first_blocks_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def build(*, pretrained):
        """A narrow model, instead of a download."""
        assert pretrained == "imagenet"
        return kc.CoAtNet(narrow_twin("coatnet_0"), input_shape=(64, 96, 3))

    def write(model, path, format, request, *_):
        """The request alone: the test above and those of the formats write files."""
        Path(path).mkdir() if format.name == "saved_model" else Path(path).touch()
        report = verify.ExportReport(path, format.name, 0, request.quantization, True, verify.Comparison(0.0, 1.0, 4))
        asked.append((format.name, request.inputs, request.quantization))
        return report

    asked, names = [], {}
    monkeypatch.setattr(kc, "CoAtNet0", build)
    monkeypatch.setattr(export_module, "_write", write)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.split("## Reading the files")[0], re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(block, names)
    assert asked == [("onnx", "float", None), ("litert", "uint8", "float16"), ("saved_model", "jpeg", None)]
    assert {path.name for path in tmp_path.iterdir()} == {"coatnet_0.onnx", "coatnet_0.tflite", "served"}
    assert capsys.readouterr().out.splitlines()[3].split() == ["coatnet_0", "fused", "before", "after"]


def read(program, folder):
    """(class, probability) that a program prints."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "KERAS_BACKEND")}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    label, probability = done.stdout.strip().rsplit(" ", 1)
    return label, float(probability)


def answer(model, path, squashed):
    """The model's own probabilities: of the picture squashed to its size, or cropped and resized."""
    from PIL import Image

    from keras_coatnet.images.preprocess import DEFAULT_PREPROCESSING

    if not squashed:
        return model.predict(kc.preprocess_input([path], model), verbose=0)[0]
    height, width = model.input_shape[1:3]
    picture = np.asarray(Image.open(path).convert("RGB").resize((width, height), Image.Resampling.BICUBIC))
    prepared = (picture / 255 - DEFAULT_PREPROCESSING.mean) / DEFAULT_PREPROCESSING.std
    return model.predict(prepared[np.newaxis].astype("float32"), verbose=0)[0]


def test_printed_report_is_that_of_the_code():
    printed = re.search(r"```text\n(coatnet_0 fused.*?)```", PAGE, re.DOTALL)[1]
    assert printed.splitlines()[0].split() == ["coatnet_0", "fused", "before", "after"]
    counted = kc.count(kc.get_spec("coatnet_0").fused("constant"))
    assert f"{kc.count('coatnet_0').parameters:,}" in printed
    assert f"{counted.parameters:,}" in printed
    assert f"{counted.macs:,}" in printed
