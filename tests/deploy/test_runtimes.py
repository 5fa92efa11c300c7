"""Exported files behind what a classifier is asked, whatever they take."""

import numpy as np
import pytest
from PIL import Image

import keras_coatnet as kc
from keras_coatnet.deploy import runtimes
from keras_coatnet.deploy.formats import FORMATS
from keras_coatnet.deploy.runtimes import ExportedModel, is_exported, open_file
from keras_coatnet.images.preprocess import Preprocessing, preprocess

pytestmark = pytest.mark.backend_free

SIDES = (4, 6)
COLOURS = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255)}
PREPROCESSING = {"mean": [0.5, 0.4, 0.3], "std": [0.1, 0.2, 0.3], "crop": 0.9}


class Runtime:
    """Stands in for a file: softmax of the mean colour of bytes or normalised floats; keeps what it was given."""

    def __init__(self, batch=None, dtype="float32", sides=SIDES):
        shape = (batch,) if dtype == "string" else (batch, *sides, 3)
        self.input_shape, self.input_dtype, self.batches = shape, dtype, []

    def __call__(self, batch):
        self.batches.append(batch)
        assert self.input_shape[0] in (None, len(batch))
        pictures = [self.floats(each) for each in batch]
        powers = np.exp([picture.mean(axis=(0, 1)) for picture in pictures])
        return powers / powers.sum(axis=1, keepdims=True)

    def floats(self, picture):
        preprocessing = Preprocessing(**PREPROCESSING)
        if self.input_dtype == "string":
            import io

            picture = np.asarray(Image.open(io.BytesIO(picture)))
        if picture.dtype == np.uint8:
            picture = preprocess(picture, preprocessing, SIDES)
        return picture


def exported(runtime, format="onnx", **metadata):
    known = {"preprocessing": PREPROCESSING, "output_shape": [None, 3], "labels": list(COLOURS), "name": "mine"}
    return ExportedModel(
        f"/a/model{(*FORMATS[format].endings, '')[0]}", FORMATS[format], runtime, {**known, **metadata}
    )


def pictures(count=5):
    colours = list(COLOURS.values())
    return [np.full((9, 12 + index, 3), colours[index % 3], np.uint8) for index in range(count)]


def first_labels(model, count=5):
    return [row[0].label for row in kc.predict(model, pictures(count))]


EXPECTED = ["red", "lime", "blue", "red", "lime"]


@pytest.mark.parametrize("batch", [None, 1, 2, 8])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_a_fixed_batch_is_filled_and_prepared_pictures_become_what_the_file_takes(batch, dtype):
    runtime = Runtime(batch, dtype)
    # A file of this size has its pictures cropped before, so the stand-in must not crop again.
    runtime.floats = lambda picture: picture.astype(np.float64)
    model = exported(runtime, inputs="uint8" if dtype == "uint8" else "float")
    assert first_labels(model) == EXPECTED
    assert {each.dtype for each in runtime.batches} == {np.dtype(dtype)}
    assert {len(each) for each in runtime.batches} == {batch or 5}


def test_bytes_are_those_that_preparing_makes():
    runtime = Runtime(None, "uint8")
    kc.predict(exported(runtime, inputs="uint8"), pictures(1))
    ((found,),) = runtime.batches
    np.testing.assert_array_equal(found, np.full((*SIDES, 3), (255, 0, 0)))


@pytest.mark.parametrize(("dtype", "kind"), [("uint8", "uint8"), ("string", "jpeg")])
@pytest.mark.parametrize("batch", [None, 2])
def test_a_saved_model_that_resizes_gets_whole_pictures(dtype, kind, batch):
    runtime = Runtime(batch, dtype, (None, None))
    model = exported(runtime, "saved_model", inputs=kind, image_size=list(SIDES))
    assert model.takes_whole_pictures
    assert model.input_shape == (None, *SIDES, 3)
    assert first_labels(model) == EXPECTED
    if dtype == "uint8":
        assert runtime.batches[0].shape[1:] == (9, 12, 3)
    # Floats are pictures as well.
    rows = kc.predict(model, [picture.astype("float32") for picture in pictures(2)])
    assert [row[0].label for row in rows] == EXPECTED[:2]


def test_labels_of_the_file_hold_unless_others_are_given():
    assert first_labels(exported(Runtime()), 1) == ["red"]
    assert kc.predict(exported(Runtime()), pictures(1), labels=["a", "b", "c"])[0][0].label == "a"
    assert first_labels(exported(Runtime(), labels=None), 1) == ["0"]
    assert exported(Runtime(), label_set="imagenet-1k").class_labels == "imagenet-1k"


def test_file_of_others_is_asked_for_what_it_does_not_say():
    model = ExportedModel("/a/other.onnx", FORMATS["onnx"], Runtime(), {})
    assert model.name == "other.onnx"
    assert model.output_shape == (None, 3)
    assert model.class_labels is None
    model = ExportedModel("/a/other.onnx", FORMATS["onnx"], Runtime(dtype="uint8"), {})
    assert model.kind == "uint8"


def test_exported_files_are_told_by_their_ending_or_what_is_in_a_folder(tmp_path):
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_text("")
    (tmp_path / "folder").mkdir()
    names = ("a.tflite", "a.ONNX", "a.xml", "a.pt2", "a.stablehlo", str(tmp_path / "saved"))
    assert [name for name in names if not is_exported(name)] == []
    others = ("coatnet_0", "model.keras", str(tmp_path / "folder"), "nowhere/")
    assert [name for name in others if is_exported(name)] == []


def test_what_cannot_be_loaded_is_refused_in_one_line(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"model\.keras is no exported file: it has to end in \.tflite, \.onnx"):
        open_file("model.keras")
    with pytest.raises(ValueError, match=r"nowhere\.stablehlo: no such file"):
        open_file("nowhere.stablehlo")
    broken = tmp_path / "broken.stablehlo"
    broken.write_text("no model, no model, no model")
    with pytest.raises(ValueError, match=r"broken\.stablehlo cannot be loaded as stablehlo: ") as caught:
        open_file(broken)
    assert "\n" not in str(caught.value)
    for runtime, format in (("onnxruntime", "onnx"), ("torch", "pt2")):
        monkeypatch.setattr(runtimes, "find_spec", lambda name, missing=runtime: None if name == missing else name)
        path = tmp_path / f"a{FORMATS[format].endings[0]}"
        path.write_text("")
        extra = {"onnx": "export", "pt2": "torch"}[format]
        with pytest.raises(ModuleNotFoundError, match=rf"needs {runtime}, .*pip install 'keras-coatnet\[{extra}\]'"):
            open_file(path)
