"""What `export` refuses, before any work and with nothing left behind."""

import importlib.util

import keras
import numpy as np
import pytest
from PIL import Image
from small_models import tiny, twin

import keras_coatnet as kc
from keras_coatnet.deploy import arguments
from keras_coatnet.deploy import export as export_module
from keras_coatnet.deploy.formats import FORMATS, find_format

pytestmark = pytest.mark.backend_free


@pytest.fixture(scope="module")
def model():
    return tiny()


@pytest.fixture(autouse=True)
def _no_work(monkeypatch):
    monkeypatch.setattr(export_module, "_write", None)


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.onnx").write_text("kept")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "letters").write_text("kept")
    (tmp_path / "empty").mkdir()


@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        ("a.onx", {}, "The ending of 'a.onx' says no format: .* Nearest: .onnx"),
        ("a", {"format": "onxx"}, "format must be one of 'saved_model', .*; got 'onxx'. Nearest: 'onnx'"),
        ("a", {"format": "onnx"}, "must end in .onnx; got 'a'"),
        ("a.onnx", {"format": "saved_model"}, "must not end in .onnx"),
        ("a.onnx", {"batch_size": 0}, 'whole number from 1 up, "dynamic" or None; got 0'),
        ("a.onnx", {"batch_size": True}, "got True"),
        ("a.onnx", {"batch_size": "dyn"}, "got 'dyn'"),
        ("a.onnx", {"image_size": (32,)}, r"\(height, width\) or one whole number, from 1 up; got \(32,\)"),
        ("a.onnx", {"image_size": 64}, r"which have a spec, are resized; 'tiny' takes pictures of \(32, 32\)"),
        ("a.onnx", {"inputs": "jpg"}, "one of 'float', 'uint8', 'jpeg'; got 'jpg'. Nearest: 'jpeg'"),
        ("a.onnx", {"inputs": "jpeg"}, "onnx files cannot have inputs='jpeg'; of the formats, saved_model can"),
        ("a", {"quantization": "int8"}, "saved_model files cannot have quantization='int8'; .*litert"),
        ("a.tflite", {"quantization": "int4"}, "one of 'float16', 'dynamic', 'int8'; got 'int4'. Nearest: 'int8'"),
        ("a.tflite", {"quantization": "int8"}, "takes its ranges from pictures .* representative="),
        ("a.tflite", {"representative": "empty"}, "there are none in empty"),
        ("a.tflite", {"representative": "nowhere"}, "nowhere: No such file"),
        ("a.tflite", {"representative": []}, "got an empty list"),
        ("a.tflite", {"representative": np.zeros((2, 4, 4, 2))}, "1, 3 or 4 channels"),
        ("a.tflite", {"tolerance": 0}, "tolerance must be a number above 0, .* got 0"),
        ("a.tflite", {"tolerance": float("nan")}, "got nan"),
        ("a.tflite", {"labels": ["one"]}, "each of the 5 classes; got 1"),
    ],
)
def test_arguments_that_cannot_be_are_refused(model, tmp_path, path, options, said):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=said):
        kc.export(model, path, **options)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("path", "options", "error", "said"),
    [
        ("nowhere/a.onnx", {}, FileNotFoundError, "There is no folder .*nowhere to write a.onnx into"),
        ("there.onnx", {}, FileExistsError, "there.onnx is there already; force=True replaces it"),
        ("folder", {}, FileExistsError, "holds other things than a SavedModel"),
        ("folder", {"force": True}, FileExistsError, "never replaced"),
        ("there.onnx/", {"format": "saved_model"}, ValueError, "must not end in .onnx"),
    ],
)
def test_what_is_there_is_not_replaced(model, tmp_path, path, options, error, said):
    with pytest.raises(error, match=said):
        kc.export(model, path, **options)
    assert (tmp_path / "there.onnx").read_text() == "kept"
    assert (tmp_path / "folder" / "letters").read_text() == "kept"


def subclassed():
    return type("Subclassed", (keras.Model,), {"call": lambda self, x: x})(name="mine")


def two_outputs():
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, [inputs + 1, inputs + 2], name="mine")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: "model.keras", "takes a Keras model; got str"),
        (subclassed, "'mine' is not built"),
        (two_outputs, "one input and one output; 'mine' has 1 and 2"),
        (lambda: keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)]), "must take RGB pictures"),
        (lambda: tiny((None, None, 3)), r"'tiny' takes pictures of any size, the format onnx .* image_size=\(height"),
        (lambda: tiny((None, 32, 3)), "takes pictures of any size"),
    ],
)
def test_models_that_no_file_holds_are_refused(tmp_path, make, said):
    with pytest.raises(ValueError, match=said):
        kc.export(make(), tmp_path / "a.onnx")


def test_quantized_model_is_refused(tmp_path):
    model = tiny()
    model.layers[-1].quantize("int8")
    with pytest.raises(ValueError, match=r"'tiny' is quantized \(dense.*, 1 layers in all\): export the float model"):
        kc.export(model, tmp_path / "a.onnx")


def test_size_that_a_variant_cannot_take_is_refused(tmp_path):
    with pytest.raises(ValueError, match="multiples of 32; got 50 x 50"):
        kc.export(twin(), tmp_path / "a.onnx", image_size=50)


def test_saved_model_alone_takes_open_sides_and_not_where_it_resizes(tmp_path):
    model, row = tiny((None, None, 3)), FORMATS["saved_model"]
    assert arguments.checked_image_size(None, model, row, "float") is None
    with pytest.raises(ValueError, match="saved_model with inputs='uint8' has to know it"):
        arguments.checked_image_size(None, model, row, "uint8")
    assert arguments.checked_image_size((64, 32), model, row, "uint8") == (64, 32)


@pytest.mark.parametrize(
    ("format", "missing", "said"),
    [
        ("onnx", {"torch", "onnxscript"}, r"a.onnx needs torch and onnxscript, .* 'keras-coatnet\[torch,export\]'"),
        ("litert", {"ai_edge_litert"}, r"needs ai-edge-litert, .* 'keras-coatnet\[export\]'"),
        ("saved_model", {"tensorflow"}, r"needs tensorflow, .* 'keras-coatnet\[tensorflow\]'"),
    ],
)
def test_missing_package_is_one_line_that_says_what_to_install(model, monkeypatch, format, missing, said):
    found = importlib.util.find_spec
    monkeypatch.setattr(arguments, "find_spec", lambda name: None if name in missing else found(name))
    ending = (*FORMATS[format].endings, "")[0]
    with pytest.raises(ModuleNotFoundError, match=said) as caught:
        kc.export(model, f"a{ending}")
    assert "\n" not in str(caught.value)


def test_format_is_what_the_ending_says():
    names = {"a.tflite": "litert", "A.ONNX": "onnx", "a.xml": "openvino", "a.pt2": "pt2", "a.stablehlo": "stablehlo"}
    for path, name in {**names, "a": "saved_model", "b/v1.2/": "saved_model"}.items():
        assert find_format(path).name == name
    assert find_format("v1.2", "saved_model").name == "saved_model"


@pytest.mark.parametrize(
    ("batch_size", "expected"), [(None, (None, 1)), ("dynamic", (None, None)), (np.int64(3), (3, 3))]
)
def test_batch_is_open_unless_the_format_is_for_phones(batch_size, expected):
    rows = FORMATS["onnx"], FORMATS["litert"]
    assert tuple(arguments.checked_batch_size(batch_size, row) for row in rows) == expected


def test_pictures_are_read_before_any_work(model, tmp_path):
    Image.new("RGB", (9, 5)).save(tmp_path / "good.png")
    (tmp_path / "broken.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"broken\.png: not a picture"):
        kc.export(model, "a.tflite", representative=["good.png", "broken.png"])
