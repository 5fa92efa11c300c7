"""What load_checkpoint and save_checkpoint refuse, and that they leave nothing behind."""

import os
import sys

import keras
import pytest
from checkpoints import make, untouched

import keras_coatnet as kc
from keras_coatnet.weights.atomic import replacing


@pytest.fixture(scope="module")
def model():
    return make()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "tim"}, r"source must be one of keras, timm, kecam; got 'tim'. Nearest: timm"),
        ({"resize": "cubic"}, r"resize must be one of bilinear, geometric, None or False; got 'cubic'"),
        ({"head": "new"}, r'head must be None or "fresh"; got \'new\''),
    ],
)
def test_wrong_arguments_are_told_with_the_choices(model, arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        kc.load_checkpoint(model, tmp_path / "any.weights.h5", **arguments)


def test_a_missing_file_is_named(model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint file at .*nowhere\.h5"):
        kc.load_checkpoint(model, tmp_path / "nowhere.h5")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"<!DOCTYPE html><html>not found</html>", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer"),
        (b"hello", "no checkpoint of a known format"),
        (b"PK\x03\x04 cut off", "no checkpoint of a known format"),
        (b"\x89HDF\r\n\x1a\n cut off", "damaged HDF5"),
        (b"\xff\xff\xff\xff\x00\x00\x00\x00{", "damaged safetensors"),
    ],
)
def test_what_is_no_checkpoint_is_told(model, content, message, tmp_path):
    path = tmp_path / "file.h5"
    path.write_bytes(content)
    with untouched(model), pytest.raises(ValueError, match=message):
        kc.load_checkpoint(model, path)


@pytest.mark.parametrize(
    ("name", "ending"), [("coatnet_0", ".keras"), ("coatnet_0", ".h5"), ("coatnet_0_rw", ".safetensors")]
)
def test_a_cut_file_is_told(name, ending, tmp_path):
    model = make(name, input_shape=(64, 64, 3))
    path = tmp_path / f"file{ending}"
    kc.save_checkpoint(model, path, {".keras": "keras", ".h5": "kecam", ".safetensors": "timm"}[ending])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with untouched(model), pytest.raises(ValueError, match=r"damaged|no checkpoint of a known format"):
        kc.load_checkpoint(model, path)


def test_a_model_without_a_spec_is_refused(model, tmp_path):
    outer = keras.Model(model.input, keras.layers.Dense(3)(model.output))
    with pytest.raises(ValueError, match="Load into the CoAtNet itself"):
        kc.load_checkpoint(outer, tmp_path / "any.h5")


def test_a_quantized_model_is_refused(tmp_path):
    model = make()
    kc.save_checkpoint(model, tmp_path / "saved.weights.h5")
    for layer in model.get_layer("stage1_block1")._flatten_layers(include_self=False):
        if type(layer) is keras.layers.Dense:
            layer.quantize("int8")
    with pytest.raises(ValueError, match=r"quantized.*stage1_block1"):
        kc.load_checkpoint(model, tmp_path / "saved.weights.h5")


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        ("keras", "saved.h5", r'source="keras" ends in .weights.h5 or .keras; got \'saved.h5\''),
        ("timm", "saved.h5", r'source="timm" ends in .safetensors or .pth or .pt or .bin'),
        ("kecam", "saved.keras", r'source="kecam" ends in .h5'),
        ("keras_cv", "saved.h5", "source must be one of keras, timm, kecam"),
    ],
)
def test_an_ending_that_is_not_the_sources_is_refused(model, source, name, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        kc.save_checkpoint(model, tmp_path / name, source)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("variant", "input_shape", "source", "ending", "reason"),
    [
        ("coatnet_0_paper", (64, 64, 3), "timm", ".safetensors", "paper family"),
        ("coatnet_0_paper", (64, 64, 3), "kecam", ".h5", "paper family"),
        ("coatnet_0", (64, 64, 3), "timm", ".safetensors", "coatnet family"),
        ("coatnet_0", (64, 96, 3), "kecam", ".h5", "non-square maps.*4x6 map"),
    ],
)
def test_what_a_peer_cannot_hold_is_refused_with_the_reason(variant, input_shape, source, ending, reason, tmp_path):
    model = make(variant, input_shape=input_shape)
    with pytest.raises(ValueError, match=reason):
        kc.save_checkpoint(model, tmp_path / f"saved{ending}", source)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_named(model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*missing"):
        kc.save_checkpoint(model, tmp_path / "missing" / "saved.weights.h5")


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_no_other(failure, tmp_path):
    path = tmp_path / "saved.weights.h5"
    path.write_bytes(b"old")

    def write():
        with replacing(path) as temporary, open(temporary, "wb") as file:
            file.write(b"half of the new")
            raise failure

    with pytest.raises(type(failure)):
        write()
    assert os.listdir(tmp_path) == ["saved.weights.h5"]
    assert path.read_bytes() == b"old"


def test_a_file_is_readable_as_any_other(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    with replacing(tmp_path / "replaced") as temporary, open(temporary, "wb"):
        pass
    assert (tmp_path / "replaced").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_pytorch_file_without_pytorch_says_what_to_install(model, monkeypatch, tmp_path):
    path = tmp_path / "file.pth"
    path.write_bytes(b"\x80\x02 a pickle")
    timm_model = make("coatnet_0_rw", input_shape=(64, 64, 3))
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match="pip install torch"):
        kc.load_checkpoint(model, path)
    with pytest.raises(ImportError, match="pip install torch"):
        kc.save_checkpoint(timm_model, path, "timm")


def test_the_report_lists_no_more_names_than_one_can_read(tmp_path):
    model = make("coatnet_1", input_shape=(64, 64, 3))
    deeper = kc.CoAtNet(kc.narrow("coatnet_0", (3, 3, 3, 3), (8, 32, 32, 32), 8), input_shape=(64, 64, 3))
    kc.save_checkpoint(deeper, tmp_path / "deep.weights.h5")
    with pytest.raises(ValueError) as error:
        kc.load_checkpoint(model, tmp_path / "deep.weights.h5")
    assert len(str(error.value)) < 2500
    assert "more" in str(error.value)
