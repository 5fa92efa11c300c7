"""OpenVINO models: what they answer and what they say about themselves."""

import os

import numpy as np
import pytest
from checkpoints import make
from running import BACKEND, run

from keras_coatnet.deploy.formats import openvino
from keras_coatnet.deploy.fuse import fuse
from keras_coatnet.deploy.request import Request

pytestmark = pytest.mark.skipif(BACKEND != "torch", reason="OpenVINO files are written on PyTorch")
for package in ("onnx", "onnxscript", "openvino"):
    pytest.importorskip(package)


@pytest.fixture(scope="module")
def model():
    return fuse(make("coatnet_0_rw"))


@pytest.fixture(scope="module")
def write(model, tmp_path_factory):
    """Writes the module's model."""

    def write_in(quantization):
        path = os.fspath(tmp_path_factory.mktemp("openvino") / "model.xml")
        openvino.write(model, path, Request("openvino", quantization=quantization, metadata={"labels": ["Bär"]}))
        return path

    return write_in


@pytest.fixture(scope="module")
def single(write):
    return write(None)


def difference(model, path, count):
    """Largest difference from the model's logits, as a share of their spread."""
    images = np.random.default_rng(0).standard_normal((count, *model.input_shape[1:])).astype("float32")
    expected = run(model, images)
    return np.abs(openvino.load(path)(images) - expected).max() / expected.std()


def weights_size(path):
    return os.path.getsize(path.removesuffix(".xml") + ".bin")


def test_answers_as_the_model_for_any_batch(model, single):
    assert difference(model, single, count=3) < 1e-5
    assert difference(model, single, count=1) < 1e-5


def test_takes_pictures_channels_last_in_any_number(model, single):
    runner = openvino.load(single)
    assert runner.input_shape == (None, *model.input_shape[1:])
    assert runner.input_dtype == "float32"


def test_half_precision_is_half_as_large_and_close(model, write, single):
    path = write("float16")
    assert difference(model, path, count=2) < 2e-2
    assert weights_size(path) < 0.55 * weights_size(single)


def test_says_what_it_was_told(single):
    assert openvino.read_metadata(single) == {"labels": ["Bär"]}


def test_file_of_others_says_nothing(single, tmp_path):
    from openvino import Core, save_model

    plain = Core().read_model(single)
    del plain.rt_info[openvino.METADATA_KEY]
    save_model(plain, os.fspath(tmp_path / "other.xml"))
    assert openvino.read_metadata(os.fspath(tmp_path / "other.xml")) is None
