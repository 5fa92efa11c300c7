"""DepthwiseConv2D against its sum, and its forms against each other."""

import keras
import numpy as np
import oracle
import pytest
from agreement import assert_close, filled, outputs
from hypothesis import given, settings
from hypothesis import strategies as st
from running import BACKEND, gradients, image, run, run_tensor

from keras_coatnet.layers import DepthwiseConv2D
from keras_coatnet.layers.depthwise import (
    convolved_size,
    library_depthwise,
    padding_amounts,
    shifted_depthwise,
)
from keras_coatnet.layers.fast import torch_forms

SHAPE = (2, 6, 9, 3)
PADDINGS = ("valid", "same", "symmetric")
# kernel, strides, depth multiplier, dilation
GEOMETRIES = [
    ((3, 3), (1, 1), 1, (1, 1)),
    ((3, 3), (2, 2), 1, (1, 1)),
    ((3, 3), (3, 3), 2, (1, 1)),
    ((2, 4), (1, 1), 1, (1, 1)),
    ((5, 3), (2, 1), 2, (1, 1)),
    ((1, 3), (1, 2), 1, (1, 1)),
    ((3, 2), (1, 1), 3, (2, 1)),
    ((2, 3), (2, 2), 1, (1, 2)),
]
each_geometry = pytest.mark.parametrize(("kernel", "strides", "multiplier", "dilation"), GEOMETRIES)
each_padding = pytest.mark.parametrize("padding", PADDINGS)


def layer_of(kernel, strides, multiplier, dilation, padding, **changes):
    return DepthwiseConv2D(
        kernel, strides, padding, depth_multiplier=multiplier, dilation_rate=dilation, name="layer", **changes
    )


def forms():
    """The ways to convolve that this backend has, by name, with one signature."""
    found = {
        "shifted": lambda x, kernel, strides, dilation, padding, pads: shifted_depthwise(
            x, kernel, strides, dilation, pads
        ),
        "library": library_depthwise,
    }
    if BACKEND == "torch":
        found["torch"] = lambda x, kernel, strides, dilation, padding, pads: torch_forms.convolve_depthwise(
            x, kernel, None, strides, pads, dilation
        )
    return found


class Convolution(keras.layers.Layer):
    """One form as a layer."""

    def __init__(self, form, kernel, strides, dilation, padding):
        super().__init__(name="convolution")
        self.form, self.values = forms()[form], kernel
        self.options = (strides, dilation, padding)

    def build(self, input_shape):
        self.kernel = self.add_weight(name="kernel", shape=self.values.shape, initializer=lambda *_, **__: self.values)

    def compute_output_shape(self, input_shape):
        strides, dilation, padding = self.options
        axes = zip(input_shape[1:3], self.values.shape[:2], strides, dilation, strict=True)
        sides = [convolved_size(side, padding, *axis) for side, *axis in axes]
        return (input_shape[0], *sides, self.values.shape[2] * self.values.shape[3])

    def call(self, x):
        strides, dilation, padding = self.options
        amounts = zip(x.shape[1:3], self.values.shape[:2], strides, dilation, strict=True)
        pads = tuple(padding_amounts(padding, *axis) for axis in amounts)
        return self.form(x, self.kernel, strides, dilation, padding, pads)


def library_takes(strides, dilation):
    return BACKEND != "tensorflow" or (strides[0] == strides[1] and (max(strides) == 1 or max(dilation) == 1))


@each_padding
@each_geometry
def test_output_is_the_sum_of_the_equation(kernel, strides, multiplier, dilation, padding):
    layer = filled(layer_of(kernel, strides, multiplier, dilation, padding), SHAPE)
    found, x = outputs(layer, SHAPE)
    pads = oracle.pads_of(padding, SHAPE[1:3], kernel, strides, dilation)
    expected = oracle.depthwise(x, oracle.values(layer.kernel), strides, pads, dilation) + oracle.values(layer.bias)
    assert_close(found, expected, 1e-6)
    assert layer.compute_output_shape(SHAPE) == expected.shape


@each_padding
@each_geometry
def test_forms_agree_in_output_and_gradients(kernel, strides, multiplier, dilation, padding):
    weights = image((*kernel, SHAPE[3], multiplier), seed=2)
    x = image(SHAPE)
    results = {}
    for form in forms():
        if form == "library" and not library_takes(strides, dilation):
            continue
        convolution = Convolution(form, weights, strides, dilation, padding)
        y = run(convolution, x)
        (of_kernel,), of_input = gradients(convolution, x)
        results[form] = (y, of_kernel, of_input)
    shifted = results.pop("shifted")
    for others in results.values():
        for found, expected in zip(others, shifted, strict=True):
            assert_close(found, expected, 1e-6)
    assert results or not library_takes(strides, dilation)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 2**-10), ("bfloat16", 2**-7)])
@pytest.mark.parametrize("form", list(forms()))
def test_half_precision_forms_round_once(form, dtype, tolerance):
    """Accumulated wider than the dtype: one rounding of inputs and output, not one a term."""
    weights, x = image((5, 5, 3, 1), seed=2) / 5, image(SHAPE)
    exact = run(Convolution(form, weights, (1, 1), (1, 1), "same"), x)
    convolution = Convolution(form, weights, (1, 1), (1, 1), "same")
    convolution.dtype_policy = f"mixed_{dtype}"
    y = run_tensor(convolution, x)
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    found = np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(y, "float32")))
    assert_close(found, exact, 2 * tolerance)


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch has one form for all")
def test_xla_on_cpu_and_what_tensorflow_refuses_take_the_shifted_form(monkeypatch):
    chosen = []
    for form in ("shifted_depthwise", "library_depthwise"):
        monkeypatch.setattr(f"keras_coatnet.layers.depthwise.{form}", lambda x, *_, form=form: chosen.append(form) or x)
    for strides, dilation in [((1, 1), (1, 1)), ((2, 1), (1, 1)), ((2, 2), (2, 2))]:
        layer = DepthwiseConv2D(3, strides, dilation_rate=dilation)
        layer.build(SHAPE)
        layer(keras.ops.zeros(SHAPE))
    plain = "shifted_depthwise" if BACKEND == "jax" else "library_depthwise"
    assert chosen == [plain, "shifted_depthwise", "shifted_depthwise"]


@settings(max_examples=30)
@given(
    size=st.integers(1, 40),
    kernel=st.integers(1, 7),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    padding=st.sampled_from(["same", "symmetric"]),
)
def test_size_is_that_of_the_padded_map(size, kernel, stride, dilation, padding):
    before, after = padding_amounts(padding, size, kernel, stride, dilation)
    assert convolved_size(size, padding, kernel, stride, dilation) == oracle.output_side(
        size + before + after, kernel, stride, dilation
    )
    if padding == "same":
        assert (before, after) == oracle.same_pads(size, kernel, stride, dilation)
        assert convolved_size(size, padding, kernel, stride, dilation) == -(-size // stride)


def test_size_of_an_open_side_is_open():
    assert convolved_size(None, "same", 3, 2) is None


def test_kernel_has_the_library_layout_and_name():
    layer = filled(DepthwiseConv2D((5, 3), depth_multiplier=2, name="layer"), SHAPE)
    assert [(weight.name, weight.shape) for weight in layer.weights] == [("kernel", (5, 3, 3, 2)), ("bias", (6,))]


def test_unknown_padding_is_refused():
    with pytest.raises(ValueError, match=r"padding must be one of 'valid', 'symmetric', 'same'; got 'reflect'"):
        DepthwiseConv2D(3, padding="reflect")


def test_channels_first_is_refused():
    with pytest.raises(ValueError, match=r"data_format must be one of 'channels_last'; got 'channels_first'"):
        DepthwiseConv2D(3, data_format="channels_first")
