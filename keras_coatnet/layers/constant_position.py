"""Relative positions written out, one value a pair of pixels: what a table or a network comes to at one size."""

import keras
import numpy as np
from keras import ops

from keras_coatnet.layers.arguments import check_counts
from keras_coatnet.layers.initializers import Constant
from keras_coatnet.layers.relative_position import known_sides, relative_position_index


@keras.saving.register_keras_serializable(package="keras_coatnet")
class ConstantPositionBias(keras.layers.Layer):
    """A value for every pair of pixels and head, as a table or a network gives it once and for all; not trained.

    Args:
        num_heads: heads of the attention.

    Shapes: (B, H, W, C) -> (heads, H * W, H * W); only the sides of the input are used, and they are fixed at build.
    Raises: ValueError for a map with open sides.
    """

    def __init__(self, num_heads, **kwargs):
        super().__init__(**kwargs)
        check_counts(num_heads=num_heads)
        self.num_heads = num_heads

    def build(self, input_shape):
        if None in input_shape[1:3]:
            raise ValueError(
                f"A constant bias belongs to maps of one size; got an input of shape {tuple(input_shape)}."
            )
        self.relative_position_bias = self.add_weight(
            name="relative_position_bias",
            shape=self.compute_output_shape(input_shape),
            initializer=Constant(0.0),
            trainable=False,
            # Added to float32 logits, so there is nothing to win by rounding it.
            autocast=False,
        )

    def call(self, x, training=None):
        return ops.convert_to_tensor(self.relative_position_bias)

    def offset_values(self, sides=None):
        """The values that were spread over pairs, as pictures. Shapes: -> (heads, 2H-1, 2W-1)"""
        height, width = known_sides(self, None)
        pairs = np.unique(relative_position_index(height, width), return_index=True)[1]  # the first one of each offset
        values = ops.take(ops.reshape(self.relative_position_bias, (self.num_heads, -1)), pairs, axis=1)
        return ops.reshape(values, (self.num_heads, 2 * height - 1, 2 * width - 1))

    def compute_output_spec(self, x, training=None):
        # It keeps its own dtype in half precision too.
        return keras.KerasTensor(self.compute_output_shape(x.shape), dtype=self.variable_dtype)

    def compute_output_shape(self, input_shape):
        tokens = input_shape[1] * input_shape[2]
        return (self.num_heads, tokens, tokens)

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads}
