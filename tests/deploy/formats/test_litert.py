"""LiteRT files: what they answer, what they are made of, what they say about themselves."""

import numpy as np
import pytest
from checkpoints import make
from running import BACKEND, run

from keras_coatnet.deploy.formats import litert
from keras_coatnet.deploy.formats.litert_operators import read_operators
from keras_coatnet.deploy.request import Request

pytestmark = pytest.mark.skipif(BACKEND != "tensorflow", reason="LiteRT files are written on TensorFlow")
pytest.importorskip("ai_edge_litert")

SIZE = (64, 96)
both_families = pytest.mark.parametrize("model", ["coatnet_0", "coatnet_0_rw"], indirect=True)
# Smaller kernels stay as they are with "dynamic".
SMALLEST_QUANTIZED = 1024


def photographs(count, seed=0):
    """Smooth noise, which has a picture's correlation between pixels: float32 (count, 64, 96, 3)."""
    coarse = np.random.default_rng(seed).normal(size=(count, 8, 12, 3)).astype("float32")
    return 1.5 * coarse.repeat(8, axis=1).repeat(8, axis=2)


@pytest.fixture(scope="module")
def model(request):
    return make(getattr(request, "param", "coatnet_0"))


@pytest.fixture(scope="module")
def write(model, tmp_path_factory):
    """Writes the module's model; the same request twice is one file."""
    files = {}

    def write_once(**fields):
        key = tuple(sorted(fields.items()))
        if key not in files:
            calibration = photographs(8, seed=1) if fields.get("quantization") == "int8" else None
            fields = {"batch_size": 1, **fields}
            files[key] = tmp_path_factory.mktemp("litert") / "model.tflite"
            litert.write(
                model,
                files[key],
                Request(
                    "litert", image_size=SIZE, calibration=calibration, metadata={"labels": ["hut", "Bär"]}, **fields
                ),
            )
        return files[key]

    return write_once


def difference(model, path, pictures):
    """Largest difference from the model's logits, as a share of their spread."""
    expected = run(model, pictures)
    return np.abs(litert.load(path)(pictures) - expected).max() / expected.std()


@both_families
@pytest.mark.parametrize(("quantization", "limit"), [(None, 1e-5), ("int8", 0.5)])
def test_file_answers_as_the_model_does(model, write, quantization, limit):
    assert difference(model, write(quantization=quantization), photographs(3)) < limit


@pytest.mark.parametrize(("quantization", "limit"), [("float16", 2e-2), ("dynamic", 0.15)])
def test_file_with_smaller_weights_answers_nearly_as_the_model_does(model, write, quantization, limit):
    path = write(quantization=quantization)
    assert path.stat().st_size < 0.7 * write().stat().st_size
    assert difference(model, path, photographs(3)) < limit


@pytest.mark.parametrize(("quantization", "stored"), [(None, "FLOAT32"), ("dynamic", "INT8")])
def test_kernels_are_stored_as_asked(write, quantization, stored):
    operators = read_operators(write(quantization=quantization))
    kernels = [each.inputs[1] for each in operators if each.name in ("FULLY_CONNECTED", "CONV_2D")]
    large = [kernel.type for kernel in kernels if np.prod(kernel.shape) >= SMALLEST_QUANTIZED]
    assert len(large) > 10
    assert set(large) == {stored}


@both_families
def test_int8_file_multiplies_in_int8_in_transformer_blocks_alone(write):
    types = {"transformer": set(), "convolution": set(), "head": set()}
    for each in read_operators(write(quantization="int8")):
        if each.name == "FULLY_CONNECTED" and "/shortcut" not in each.outputs[0].name:
            in_transformer = any(stage in each.outputs[0].name for stage in ("/stage3_", "/stage4_"))
            place = "head" if each.outputs[0].rank < 4 else "transformer" if in_transformer else "convolution"
            types[place].update(tensor.type for tensor in (*each.inputs[:2], *each.outputs))
    assert types == {"transformer": {"INT8"}, "convolution": {"FLOAT32"}, "head": {"FLOAT32"}}


@both_families
def test_int8_file_keeps_norms_sums_and_attention_maps_in_float(write):
    kinds = ("SOFTMAX", "BATCH_MATMUL", "RSQRT", "MEAN", "ADD", "MUL", "DEPTHWISE_CONV_2D")
    operators = [each for each in read_operators(write(quantization="int8")) if each.name in kinds]
    assert {each.name for each in operators} == set(kinds)
    assert {tensor.type for each in operators for tensor in each.outputs} == {"FLOAT32"}


@both_families
@pytest.mark.parametrize("quantization", [None, "int8"])
def test_fixed_file_keeps_to_what_gpu_delegates_take(write, quantization):
    """Rank 4 at most, one picture a call, no TensorFlow operators, no slices that add an axis."""
    operators = read_operators(write(quantization=quantization))
    assert not [each.name for each in operators if each.is_custom]
    tensors = [tensor for each in operators for tensor in (*each.inputs, *each.outputs)]
    assert max(tensor.rank for tensor in tensors) == 4
    assert all(side >= 0 for tensor in tensors for side in tensor.shape)
    maps = [each.outputs[0] for each in operators if each.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "SOFTMAX")]
    assert {tensor.shape[0] for tensor in maps} == {1}
    slices = [each for each in operators if each.name == "STRIDED_SLICE"]
    assert not any(each.options.newAxisMask or each.options.ellipsisMask for each in slices)


def test_gelu_builtin_is_there_unless_refused(write):
    assert "GELU" in {each.name for each in read_operators(write())}
    without = read_operators(write(gelu_builtin=False))
    assert "GELU" not in {each.name for each in without}
    assert not [each.name for each in without if each.is_custom]


def test_file_without_the_gelu_builtin_answers_as_the_model_does(model, write):
    assert difference(model, write(gelu_builtin=False), photographs(3)) < 1e-5


def test_open_batch_takes_any_number_of_pictures(model, write):
    path = write(batch_size=None)
    assert litert.load(path).input_shape == (None, *SIZE, 3)
    assert difference(model, path, photographs(3)) < 1e-5
    assert difference(model, path, photographs(5)) < 1e-5


def test_fixed_batch_takes_any_number_of_pictures_in_turns(model, write):
    path = write(batch_size=2)
    opened = litert.load(path)
    assert (opened.input_shape, opened.input_dtype) == ((2, *SIZE, 3), np.float32)
    assert difference(model, path, photographs(5)) < 1e-5
    assert opened(photographs(1)).shape == (1, 5)


def test_labels_and_metadata_lie_inside(write):
    assert litert.read_metadata(write()) == {"labels": ["hut", "Bär"]}
