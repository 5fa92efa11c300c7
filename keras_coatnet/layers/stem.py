"""Stem: convolutions that halve the image once, norm and activation between them. CoAtNet, arXiv 2106.04803, S0."""

import keras
from keras import ops

from keras_coatnet.layers.activation import activation_name, get_activation
from keras_coatnet.layers.arguments import check_choice, check_counts
from keras_coatnet.layers.composite import CompositeLayer
from keras_coatnet.layers.depthwise import PADDINGS, convolved_size, padding_amounts
from keras_coatnet.layers.fast import torch_forms
from keras_coatnet.layers.fast.forward import may_skip_keras
from keras_coatnet.layers.fast.torch_folding import fold, may_fold
from keras_coatnet.layers.fast.torch_products import overwrite
from keras_coatnet.layers.initializers import Constant, get_initializer, serialize_initializer
from keras_coatnet.layers.normalization import check_norms, normalization, normalize


@keras.saving.register_keras_serializable(package="keras_coatnet")
class Stem(CompositeLayer):
    """conv - norm - activation - conv ...; nothing behind the last convolution: the next block opens with a norm.

    Args:
        widths: channels of each convolution.
        strides: of each convolution.
        kernel_sizes: of each convolution.
        padding: "symmetric" (kernel_size // 2 zeros on every side) or "same".
        activation: between the convolutions.
        activation_first: activation before the norm.
        use_bias: whether the convolutions have biases, or one such entry each; None: with `activation_first`.
        norm: kind of the norms, or one kind each. norm_epsilon, norm_momentum: see `normalization`.
        kernel_initializer: None is Glorot uniform.

    Shapes: (B, H, W, C) -> (B, H', W', widths[-1]).
    Raises: ValueError where widths, strides and kernel_sizes differ in number, for an unknown padding or norm.
    Source: CoAtNet, arXiv 2106.04803, table 3.
    """

    def __init__(
        self,
        widths,
        strides=(2, 1),
        kernel_sizes=(3, 3),
        padding="symmetric",
        activation="gelu",
        activation_first=False,
        use_bias=None,
        norm="batch",
        norm_epsilon=1e-5,
        norm_momentum=0.9,
        kernel_initializer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not len(widths) == len(strides) == len(kernel_sizes) > 0:
            raise ValueError(
                "widths, strides and kernel_sizes need one entry a convolution; "
                f"got widths={tuple(widths)}, strides={tuple(strides)}, kernel_sizes={tuple(kernel_sizes)}."
            )
        for width, stride, kernel_size in zip(widths, strides, kernel_sizes, strict=True):
            check_counts(widths=width, strides=stride, kernel_sizes=kernel_size)
        check_choice("padding", padding, PADDINGS)
        self.widths = tuple(widths)
        self.strides = tuple(strides)
        self.kernel_sizes = tuple(kernel_sizes)
        self.padding = padding
        self.activation = get_activation(activation)
        self._activation = activation
        self.activation_first = activation_first
        use_bias = activation_first if use_bias is None else use_bias
        self.use_bias = tuple(use_bias) if isinstance(use_bias, list | tuple) else (use_bias,) * len(self.widths)
        self.norm = tuple(norm) if isinstance(norm, list) else norm
        self.norm_kinds = check_norms(norm, places=len(self.widths) - 1)
        self.norm_epsilon = norm_epsilon
        self.norm_momentum = norm_momentum
        self.kernel_initializer = kernel_initializer

    def build(self, input_shape):
        shape = tuple(input_shape)
        for number, width in enumerate(self.widths, start=1):
            convolution = self._make_convolution(number)
            setattr(self, convolution.name, convolution)
            convolution.build(shape)
            shape = (shape[0], None, None, width)
            if number < len(self.widths):
                norm = normalization(
                    self.norm_kinds[number - 1],
                    epsilon=self.norm_epsilon,
                    momentum=self.norm_momentum,
                    name=f"norm{number}",
                    dtype=self.dtype_policy,
                )
                setattr(self, f"norm{number}", norm)
                if norm is not None:
                    norm.build(shape)

    def _make_convolution(self, number):
        return keras.layers.Conv2D(
            self.widths[number - 1],
            self.kernel_sizes[number - 1],
            strides=self.strides[number - 1],
            padding="same" if self.padding == "same" else "valid",
            data_format="channels_last",
            use_bias=self.use_bias[number - 1],
            kernel_initializer=get_initializer(self.kernel_initializer),
            bias_initializer=Constant(0.0),
            name=f"convolution{number}",
            dtype=self.dtype_policy,
        )

    def call(self, x, training=None):
        *inner, last = (getattr(self, f"convolution{number}") for number in range(1, len(self.widths) + 1))
        for number, convolution in enumerate(inner, start=1):
            norm = getattr(self, f"norm{number}")
            if not self.activation_first and may_fold(convolution, norm, x, training):
                x = self._convolve_natively(convolution, x, *fold(convolution, norm))
                x = overwrite(self.activation, x)
            else:
                x = self._normalize_and_activate(norm, self._convolve(convolution, x), training)
        return self._convolve(last, x)

    def _convolve(self, convolution, x):
        if may_skip_keras(convolution, x):
            return self._convolve_natively(convolution, x, convolution.kernel, convolution.bias)
        if self.padding == "symmetric":
            margins = [[side // 2, side // 2] for side in convolution.kernel_size]
            x = ops.pad(x, [[0, 0], *margins, [0, 0]])
        return convolution(x)

    def _convolve_natively(self, convolution, x, kernel, bias):
        axes = zip(x.shape[1:3], convolution.kernel_size, convolution.strides, strict=True)
        pads = [padding_amounts(self.padding, *axis, dilation_rate=1) for axis in axes]
        return torch_forms.convolve(x, kernel, bias, convolution.strides, pads)

    def _normalize_and_activate(self, norm, x, training):
        if self.activation_first:
            x = self.activation(x)
        x = normalize(norm, x, training)
        return x if self.activation_first else self.activation(x)

    def compute_output_shape(self, input_shape):
        height, width = input_shape[1:3]
        for kernel_size, stride in zip(self.kernel_sizes, self.strides, strict=True):
            height, width = (convolved_size(side, self.padding, kernel_size, stride) for side in (height, width))
        return (input_shape[0], height, width, self.widths[-1])

    def get_config(self):
        return {
            **super().get_config(),
            "widths": self.widths,
            "strides": self.strides,
            "kernel_sizes": self.kernel_sizes,
            "padding": self.padding,
            "activation": activation_name(self._activation),
            "activation_first": self.activation_first,
            "use_bias": self.use_bias,
            "norm": self.norm,
            "norm_epsilon": self.norm_epsilon,
            "norm_momentum": self.norm_momentum,
            "kernel_initializer": serialize_initializer(self.kernel_initializer),
        }
