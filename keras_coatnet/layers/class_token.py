"""Class tokens: a learned vector that takes part in attention, and a weighted sum of those of several scales."""

import keras
from keras import ops

from keras_coatnet.layers.initializers import Normal, UniformFanIn, get_initializer, serialize_initializer


@keras.saving.register_keras_serializable(package="keras_coatnet")
class ClassToken(keras.layers.Layer):
    """A learned vector, once for each image.

    Args:
        initializer: of the vector; None is a normal distribution of 0.02.

    Shapes: (B, H, W, C) -> (B, 1, C); only the batch and the channels of the input are used.
    Source: CoaT, arXiv 2104.06399, section 3.3.
    """

    def __init__(self, initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.initializer = initializer

    def build(self, input_shape):
        initializer = get_initializer(self.initializer or Normal(0.02, cut=2.0))
        self.class_token = self.add_weight(name="class_token", shape=(1, 1, input_shape[-1]), initializer=initializer)

    def call(self, x):
        token = ops.cast(self.class_token, self.compute_dtype)
        return ops.broadcast_to(token, (ops.shape(x)[0], 1, token.shape[-1]))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 1, input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "initializer": serialize_initializer(self.initializer)}


@keras.saving.register_keras_serializable(package="keras_coatnet")
class TokenAggregation(keras.layers.Layer):
    """y = sum_s w_s t_s + b: one weight a scale and one number, for the class tokens t_s of all scales.

    Shapes: (B, scales, C) -> (B, C).
    Source: CoaT, arXiv 2104.06399, section 3.3; the authors' 1x1 convolution over scales.
    """

    def build(self, input_shape):
        scales = input_shape[1]
        self.kernel = self.add_weight(name="kernel", shape=(scales, 1), initializer=UniformFanIn())
        self.bias = self.add_weight(name="bias", shape=(1,), initializer=UniformFanIn(fan_in=scales))

    def call(self, x):
        # Spread out: LiteRT's converter moves what is added before a Dense layer through it, and fails on one number.
        bias = ops.broadcast_to(ops.cast(self.bias, x.dtype), x.shape[-1:])
        return ops.sum(x * ops.cast(self.kernel, x.dtype), axis=1) + bias

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[2])

    def get_config(self):
        # Keras' own reading of the arguments stops at a dtype policy.
        return super().get_config()
