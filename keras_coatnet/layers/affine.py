"""Affine: y = gamma * x + beta, one pair a channel. Touvron et al., ResMLP, arXiv 2105.03404, section 2."""

import keras

from keras_coatnet.layers.initializers import Constant


@keras.saving.register_keras_serializable(package="keras_coatnet")
class Affine(keras.layers.Layer):
    """Scales and shifts every channel: what a batch norm is outside training.

    Shapes: (..., C) -> (..., C).
    Source: arXiv 2105.03404, section 2.
    """

    def build(self, input_shape):
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer=Constant(1.0), trainable=True)
        self.beta = self.add_weight(name="beta", shape=shape, initializer=Constant(0.0), trainable=True)

    def call(self, x):
        return x * self.gamma + self.beta

    def compute_output_shape(self, input_shape):
        return input_shape
