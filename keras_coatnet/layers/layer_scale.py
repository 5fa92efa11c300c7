"""Layer scale: y = gamma * x, one factor a channel. Touvron et al., arXiv 2103.17239."""

import keras

from keras_coatnet.layers.initializers import Constant


@keras.saving.register_keras_serializable(package="keras_coatnet")
class LayerScale(keras.layers.Layer):
    """Multiplies every channel of a residual branch by a learned factor.

    Args:
        initial_value: start of every factor.

    Shapes: (..., C) -> (..., C).
    Source: arXiv 2103.17239.
    """

    def __init__(self, initial_value=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.initial_value = initial_value

    def build(self, input_shape):
        self.gamma = self.add_weight(
            name="gamma", shape=(input_shape[-1],), initializer=Constant(self.initial_value), trainable=True
        )

    def call(self, x):
        return x * self.gamma

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "initial_value": self.initial_value}
