"""Depthwise convolution: y[h, w, c] = sum over (i, j) of x[h + i, w + j, c] * k[i, j, c], fastest form per backend."""

import keras
from keras import ops

from keras_coatnet.layers.arguments import check_choice
from keras_coatnet.layers.fast import jax_depthwise, jax_forms, torch_forms
from keras_coatnet.layers.fast.forward import runs_by_xla_on_cpu
from keras_coatnet.layers.initializers import Constant, get_depthwise_initializer

# What keeps a map's size at stride 1 and an odd kernel.
PADDINGS = ("symmetric", "same")


@keras.saving.register_keras_serializable(package="keras_coatnet")
class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D` on channels-last maps, without being the slowest layer of the model.

    Three forms with the same numbers: the library's; a sum of shifted products, for XLA on CPU (whose depthwise
    convolution is 10 to 50 times slower) and for what TensorFlow's refuses (unequal strides, strides with dilation);
    PyTorch's own convolution on a view of the map, which saves two copies a call.

    Args:
        kernel_size, strides, depth_multiplier, dilation_rate, use_bias, ...: as in Keras.
        padding: "valid", "same" (as in TensorFlow: the surplus row and column at the end) or "symmetric" (half a
            kernel of zeros on every side, rounded down, as in PyTorch; of a dilated kernel half its extent).

    Shapes: (B, H, W, C) -> (B, H', W', C * depth_multiplier).
    Raises: ValueError for another padding, or channels first.
    """

    def __init__(
        self, kernel_size, strides=1, padding="valid", depth_multiplier=1, depthwise_initializer=None, **kwargs
    ):
        check_choice("padding", padding, ("valid", *PADDINGS))
        check_choice("data_format", kwargs.setdefault("data_format", "channels_last"), ("channels_last",))
        kwargs.setdefault("bias_initializer", Constant(0.0))
        super().__init__(
            kernel_size,
            strides=strides,
            padding="valid" if padding == "symmetric" else padding,
            depth_multiplier=depth_multiplier,
            **kwargs,
        )
        self.padding = padding
        self.depthwise_initializer = get_depthwise_initializer(
            depthwise_initializer, self.kernel_size, depth_multiplier
        )

    def call(self, x):
        return convolve_depthwise(x, self.kernel, self.strides, self.dilation_rate, self.padding, self.bias)

    def compute_output_shape(self, input_shape):
        sides = (
            convolved_size(
                input_shape[1 + axis],
                self.padding,
                self.kernel_size[axis],
                self.strides[axis],
                self.dilation_rate[axis],
            )
            for axis in (0, 1)
        )
        return (input_shape[0], *sides, input_shape[3] * self.depth_multiplier)


def convolve_depthwise(x, kernel, strides=(1, 1), dilation_rate=(1, 1), padding="symmetric", bias=None):
    """Depthwise convolution in the fastest form; the only place that asks for a backend.

    Args:
        x: (B, H, W, C).
        kernel: (h, w, C, depth_multiplier), a variable or a tensor.
        strides, dilation_rate, padding: see `DepthwiseConv2D`, the first two a pair each.
        bias: (C * depth_multiplier,) or None.
    """
    pads = tuple(
        padding_amounts(padding, ops.shape(x)[1 + axis], kernel.shape[axis], strides[axis], dilation_rate[axis])
        for axis in (0, 1)
    )
    backend = keras.backend.backend()
    if backend == "torch":
        return torch_forms.convolve_depthwise(x, kernel, bias, strides, pads, dilation_rate)
    refused_by_tensorflow = strides[0] != strides[1] or (max(strides) > 1 and max(dilation_rate) > 1)
    if runs_by_xla_on_cpu() and jax_depthwise.may_derive(x, kernel, pads):
        kernel = ops.convert_to_tensor(kernel)
        y = jax_depthwise.convolve(shifted_depthwise, x, kernel, strides, dilation_rate, pads)
    elif (backend == "jax" and jax_forms.runs_on_cpu()) or (backend == "tensorflow" and refused_by_tensorflow):
        y = shifted_depthwise(x, kernel, strides, dilation_rate, pads)
    else:
        y = library_depthwise(x, kernel, strides, dilation_rate, padding, pads)
    return y if bias is None else y + ops.cast(bias, y.dtype)


def convolved_size(size, padding, kernel_size, stride, dilation_rate=1):
    """Side of a convolved map; None stays None."""
    if size is None:
        return None
    if padding == "same":
        return -(-size // stride)
    extent = (kernel_size - 1) * dilation_rate + 1
    zeros = 2 * (extent // 2) if padding == "symmetric" else 0
    return (size + zeros - extent) // stride + 1


def padding_amounts(padding, size, kernel_size, stride, dilation_rate):
    """(before, after) zeros along one axis of a map; `size` may be a tensor of a dynamic map."""
    extent = (kernel_size - 1) * dilation_rate + 1
    if padding == "valid":
        return 0, 0
    if padding == "symmetric":
        return extent // 2, extent // 2
    if stride == 1:
        return (extent - 1) // 2, extent // 2
    total = (-(-size // stride) - 1) * stride + extent - size
    total = max(total, 0) if isinstance(total, int) else ops.maximum(total, 0)
    return total // 2, total - total // 2


def pad(x, pads):
    """Zeros around a map."""
    if all(isinstance(amount, int) and amount == 0 for side in pads for amount in side):
        return x
    return ops.pad(x, [[0, 0], list(pads[0]), list(pads[1]), [0, 0]])


def library_depthwise(x, kernel, strides, dilation_rate, padding, pads):
    """The backend's own depthwise convolution."""
    if padding == "symmetric":
        x, padding = pad(x, pads), "valid"
    return ops.depthwise_conv(
        x,
        kernel,
        # A scalar: TensorFlow takes equal strides alone, and says so by the type.
        strides=strides[0] if strides[0] == strides[1] else strides,
        padding=padding,
        data_format="channels_last",
        dilation_rate=dilation_rate,
    )


def shifted_depthwise(x, kernel, strides, dilation_rate, pads):
    """The same as a sum of shifted products, which XLA fuses into one pass; accumulated in float32 or wider."""
    kernel_height, kernel_width, channels, multiplier = kernel.shape
    padded = pad(x, pads)
    height, width = ops.shape(padded)[1], ops.shape(padded)[2]
    out_height = (height - (kernel_height - 1) * dilation_rate[0] - 1) // strides[0] + 1
    out_width = (width - (kernel_width - 1) * dilation_rate[1] - 1) // strides[1] + 1
    accumulator_dtype = keras.backend.result_type(x.dtype, "float32")
    kernel = ops.cast(kernel, accumulator_dtype)
    if multiplier > 1:
        # Output channel c * multiplier + m reads input channel c.
        padded = ops.repeat(padded, multiplier, axis=-1)
    kernel = ops.reshape(kernel, (kernel_height, kernel_width, channels * multiplier))
    total = None
    for i in range(kernel_height):
        for j in range(kernel_width):
            top, left = i * dilation_rate[0], j * dilation_rate[1]
            shifted = padded[
                :,
                top : top + (out_height - 1) * strides[0] + 1 : strides[0],
                left : left + (out_width - 1) * strides[1] + 1 : strides[1],
                :,
            ]
            product = ops.cast(shifted, accumulator_dtype) * kernel[i, j]
            total = product if total is None else total + product
    return ops.cast(total, x.dtype)
