"""Patch embedding: norm(conv(x)) with kernel = stride. CoaT, arXiv 2104.06399, section 3.3."""

import keras

from keras_coatnet.layers.arguments import check_counts
from keras_coatnet.layers.composite import CompositeLayer
from keras_coatnet.layers.fast.forward import forward
from keras_coatnet.layers.initializers import UniformFanIn, get_initializer, serialize_initializer
from keras_coatnet.layers.normalization import normalization, normalize


@keras.saving.register_keras_serializable(package="keras_coatnet")
class PatchEmbedding(CompositeLayer):
    """One vector for each patch of a map; rows and columns that do not fill a patch are dropped.

    Args:
        width: channels of a patch's vector.
        patch_size: side of a patch in pixels.
        norm_epsilon: of the LayerNorm behind the convolution.
        kernel_initializer: of the convolution; None is uniform in +-1 / sqrt(fan_in), biases too.

    Shapes: (B, H, W, C) -> (B, H // patch_size, W // patch_size, width).
    Raises: ValueError for a width or patch size below 1.
    Source: CoaT, arXiv 2104.06399, section 3.3.
    """

    def __init__(self, width, patch_size=2, norm_epsilon=1e-5, kernel_initializer=None, **kwargs):
        super().__init__(**kwargs)
        check_counts(width=width, patch_size=patch_size)
        self.width = width
        self.patch_size = patch_size
        self.norm_epsilon = norm_epsilon
        self.kernel_initializer = kernel_initializer

    def build(self, input_shape):
        fan_in = self.patch_size**2 * input_shape[-1]
        self.convolution = keras.layers.Conv2D(
            self.width,
            self.patch_size,
            strides=self.patch_size,
            padding="valid",
            data_format="channels_last",
            kernel_initializer=get_initializer(self.kernel_initializer or UniformFanIn()),
            bias_initializer=UniformFanIn(fan_in=fan_in),
            name="convolution",
            dtype=self.dtype_policy,
        )
        self.norm = normalization(
            "layer", epsilon=self.norm_epsilon, momentum=None, name="norm", dtype=self.dtype_policy
        )
        self.convolution.build(input_shape)
        self.norm.build(self.compute_output_shape(input_shape))

    def call(self, x, training=None):
        return normalize(self.norm, forward(self.convolution, x), training)

    def compute_output_shape(self, input_shape):
        height, width = (None if side is None else side // self.patch_size for side in input_shape[1:3])
        return (input_shape[0], height, width, self.width)

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "patch_size": self.patch_size,
            "norm_epsilon": self.norm_epsilon,
            "kernel_initializer": serialize_initializer(self.kernel_initializer),
        }
