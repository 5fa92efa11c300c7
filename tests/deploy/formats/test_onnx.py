"""ONNX files: what they answer, what they are made of, what they say about themselves."""

import collections
import os

import numpy as np
import pytest
from checkpoints import make
from running import BACKEND, run

from keras_coatnet.deploy.formats import onnx
from keras_coatnet.deploy.fuse import fuse
from keras_coatnet.deploy.request import Request

pytestmark = pytest.mark.skipif(BACKEND != "torch", reason="ONNX files are written on PyTorch")
for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package)

# Bias table and gelu; SiLU before the pools; bias network; ConvNeXt blocks.
VARIANTS = ("coatnet_0", "coatnet_0_rw", "coatnet_rmlp_nano_rw", "coatnext_nano_rw")
NEAR = 1e-5


def pictures(model, count):
    return np.random.default_rng(0).standard_normal((count, *model.input_shape[1:])).astype("float32")


def difference(model, path, count=3):
    """Largest difference from the model's logits, as a share of their spread."""
    expected = run(model, pictures(model, count))
    return np.abs(onnx.load(path)(pictures(model, count)) - expected).max() / expected.std()


def write(model, folder, **fields):
    path = os.fspath(folder / "model.onnx")
    onnx.write(model, path, Request("onnx", image_size=model.input_shape[1:3], metadata={"labels": ["Bär"]}, **fields))
    return path


@pytest.fixture(scope="module", params=VARIANTS)
def fused(request, tmp_path_factory):
    """A fused model and its file."""
    model = fuse(make(request.param))
    return model, write(model, tmp_path_factory.mktemp("onnx"))


def graph_of(path):
    from onnx import load

    return load(path).graph


def operators(path):
    return collections.Counter(node.op_type for node in graph_of(path).node)


def test_answers_as_the_model(fused):
    model, path = fused
    assert difference(model, path, count=3) < NEAR
    assert difference(model, path, count=1) < NEAR


def test_takes_pictures_channels_last_in_any_number(fused):
    model, path = fused
    runner = onnx.load(path)
    assert runner.input_shape == (None, *model.input_shape[1:])
    assert runner.input_dtype == "float32"
    assert [value.name for value in (*graph_of(path).input, *graph_of(path).output)] == ["images", "predictions"]


def test_transposes_stand_beside_no_convolution_but_the_first(fused):
    model, path = fused
    graph = graph_of(path)
    producers = {output: node for node in graph.node for output in node.output}
    links = [(producers[value], node) for node in graph.node for value in node.input if value in producers]
    beside = [pair for pair in links if {node.op_type for node in pair} == {"Transpose", "Conv"}]
    if model.name.startswith("coatnext"):  # whose layer norms, channels last, stand behind each convolution
        beside = [pair for pair in beside if "stage" not in pair[0].name and pair[0].input[0] == "images"]
    assert [pair[0].input[0] for pair in beside] == ["images"]


def test_norms_and_activations_are_one_operator_each(fused):
    model, path = fused
    found = operators(path)
    assert found["Erf"] == found["Pad"] == found["Slice"] == found["Where"] == found["Shape"] == 0
    attentions = [layer for layer in model._flatten_layers() if layer.__class__.__name__.startswith("RelativeMulti")]
    assert found["Split"] == found["Softmax"] == len(attentions) > 0


def test_holds_each_weight_once(fused):
    model, path = fused
    weights = sum(np.prod(value.dims) for value in graph_of(path).initializer if value.data_type == 1)
    assert weights <= 1.03 * model.count_params()


def test_unfused_model_loses_the_norms_behind_its_convolutions(tmp_path):
    model = make("coatnet_0_rw")
    path = write(model, tmp_path)
    assert difference(model, path) < NEAR
    norms = [layer for layer in model._flatten_layers() if layer.__class__.__name__ == "BatchNormalization"]
    assert 0 < operators(path)["BatchNormalization"] < len(norms)


def test_fixed_batch_is_the_only_one_taken(tmp_path):
    model = make("coatnet_0")
    path = write(model, tmp_path, batch_size=2)
    assert onnx.load(path).input_shape == (2, *model.input_shape[1:])
    assert difference(model, path, count=2) < NEAR
    with pytest.raises(Exception, match="Expected: 2"):
        onnx.load(path)(pictures(model, 3))


def test_half_precision_halves_kernels_and_keeps_answers_close(tmp_path):
    model = make("coatnet_0")
    path = write(model, tmp_path, quantization="float16")
    assert NEAR < difference(model, path) < 2e-2
    kept = [value for value in graph_of(path).initializer if value.data_type == 1 and np.prod(value.dims) >= 1024]
    assert kept == []
    assert onnx.load(path).input_dtype == "float32"


def test_says_what_it_was_told(fused):
    assert onnx.read_metadata(fused[1]) == {"labels": ["Bär"]}


def test_file_of_others_says_nothing(fused, tmp_path):
    from onnx import load, save

    proto = load(fused[1])
    del proto.metadata_props[:]
    save(proto, tmp_path / "other.onnx")
    assert onnx.read_metadata(tmp_path / "other.onnx") is None


def test_more_weights_than_a_file_holds_are_refused_before_any_work(monkeypatch):
    model = make("coatnet_0")
    monkeypatch.setattr(onnx, "LARGEST_BYTES", 3 * model.count_params())
    with pytest.raises(ValueError, match=r'at most 2 GB of weights; coatnet_0 has .*="float16" halves that'):
        onnx.check_fits(model)
    onnx.check_fits(model, "float16")
