"""Squeeze and excitation: y = x * sigmoid(W2 f(W1 mean(x))). Hu et al., arXiv 1709.01507."""

import keras
from keras import ops

from keras_coatnet.layers.activation import activation_name, get_activation
from keras_coatnet.layers.arguments import check_counts
from keras_coatnet.layers.composite import CompositeLayer
from keras_coatnet.layers.fast.forward import forward
from keras_coatnet.layers.initializers import Constant, serialize_initializer
from keras_coatnet.layers.pointwise import pointwise, project


@keras.saving.register_keras_serializable(package="keras_coatnet")
class SqueezeExcite(CompositeLayer):
    """Weighs the channels of a map by what its spatial mean says.

    Args:
        reduced_width: channels of the bottleneck, at least 1.
        activation: of the bottleneck.
        affine: a scale of the gate and an offset of the result, a pair a channel: where a batch norm behind the layer
            ends up once it is folded.
        kernel_initializer: for both kernels; None is Glorot uniform.

    Shapes: (B, H, W, C) -> (B, H, W, C).
    Raises: ValueError for a reduced width below 1.
    Source: arXiv 1709.01507.
    """

    def __init__(self, reduced_width, activation="gelu", affine=False, kernel_initializer=None, **kwargs):
        super().__init__(**kwargs)
        check_counts(reduced_width=reduced_width)
        self.reduced_width = reduced_width
        self.activation = get_activation(activation)
        self._activation = activation
        self.affine = affine
        self.kernel_initializer = kernel_initializer

    def build(self, input_shape):
        options = {"use_bias": True, "kernel_initializer": self.kernel_initializer, "dtype": self.dtype_policy}
        self.reduce = pointwise(self.reduced_width, name="reduce", **options)
        self.expand = pointwise(input_shape[-1], name="expand", **options)
        self.reduce.build((input_shape[0], 1, 1, input_shape[-1]))
        self.expand.build((input_shape[0], 1, 1, self.reduced_width))
        if self.affine:
            self._add_affine(input_shape[-1])

    def _add_affine(self, channels):
        self.gamma = self.add_weight(name="gamma", shape=(channels,), initializer=Constant(1.0), trainable=True)
        self.beta = self.add_weight(name="beta", shape=(channels,), initializer=Constant(0.0), trainable=True)

    def call(self, x):
        y = x * self.gate(x)
        return y + self.beta if self.affine else y

    def gate(self, x):
        """What every channel is weighed with: (B, H, W, C) -> (B, 1, 1, C)."""
        squeezed = ops.mean(x, axis=(1, 2), keepdims=True)
        gate = ops.sigmoid(forward(self.expand, project(self.reduce, squeezed, self.activation)))
        return gate * self.gamma if self.affine else gate

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "reduced_width": self.reduced_width,
            "activation": activation_name(self._activation),
            "affine": self.affine,
            "kernel_initializer": serialize_initializer(self.kernel_initializer),
        }
