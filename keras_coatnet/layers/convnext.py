"""ConvNeXt block: x + scale * mlp(norm(depthwise(x))). Liu et al., arXiv 2201.03545; strided as in timm's coatnext."""

import keras

from keras_coatnet.layers.activation import activation_name, get_activation
from keras_coatnet.layers.arguments import check_choice, check_counts, check_rates
from keras_coatnet.layers.composite import CompositeLayer
from keras_coatnet.layers.depthwise import PADDINGS, DepthwiseConv2D, convolved_size
from keras_coatnet.layers.drop_path import DropPath
from keras_coatnet.layers.fast.forward import forward
from keras_coatnet.layers.initializers import serialize_initializer
from keras_coatnet.layers.layer_scale import LayerScale
from keras_coatnet.layers.normalization import check_norms, normalization, normalize
from keras_coatnet.layers.pointwise import pointwise, project
from keras_coatnet.layers.pooling import POOLS, check_same_size, pool, pooled_size


@keras.saving.register_keras_serializable(package="keras_coatnet")
class ConvNeXtBlock(CompositeLayer):
    """Depthwise convolution, norm and perceptron.

    y = depthwise(x), widening by the depth multiplier and striding;  shortcut(x) + scale * W2 f(W1 norm(y))

    Args:
        width: channels of the result, a multiple of the input's.
        strides: of the depthwise convolution and of the shortcut's pool.
        expansion: hidden channels of the perceptron over `width`.
        kernel_size, padding: of the depthwise convolution (see `DepthwiseConv2D`).
        activation: of the perceptron.
        norm, norm_epsilon, norm_momentum: see `normalization`.
        shortcut_pool: see `pool`.
        shortcut_bias: whether a projected shortcut (where the widths differ) has a bias.
        layer_scale: initial value of the factors; None for none.
        drop_path_rate: of the branch.
        kernel_initializer: None is Glorot uniform.

    Shapes: (B, H, W, C) -> (B, H', W', width).
    Raises: ValueError for an unknown pool, norm or padding, and at build for a width that is no multiple of the input's
        or a map of which branch and shortcut make different sizes.
    Source: arXiv 2201.03545; timm's ConvNeXtBlock of coatnext.
    """

    def __init__(
        self,
        width,
        strides=1,
        expansion=4,
        kernel_size=7,
        padding="symmetric",
        activation="gelu",
        norm="layer",
        norm_epsilon=1e-6,
        norm_momentum=0.9,
        shortcut_pool="average",
        shortcut_bias=True,
        layer_scale=1e-6,
        drop_path_rate=0.0,
        kernel_initializer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_counts(width=width, strides=strides, kernel_size=kernel_size)
        check_choice("padding", padding, PADDINGS)
        check_choice("shortcut_pool", shortcut_pool, POOLS)
        check_rates(drop_path_rate=drop_path_rate)
        self.width = width
        self.strides = strides
        self.expansion = expansion
        self.kernel_size = kernel_size
        self.padding = padding
        self.activation = get_activation(activation)
        self._activation = activation
        (self.norm_kind,) = check_norms(norm, places=1)
        self.norm_epsilon = norm_epsilon
        self.norm_momentum = norm_momentum
        self.shortcut_pool = shortcut_pool
        self.shortcut_bias = shortcut_bias
        self.initial_scale = layer_scale
        self.drop_path_rate = drop_path_rate
        self.kernel_initializer = kernel_initializer

    def build(self, input_shape):
        channels = input_shape[-1]
        if self.width % channels:
            raise ValueError(f"width must be a multiple of the input's {channels} channels; got {self.width}.")
        dtype = self.dtype_policy
        kernel = {"kernel_initializer": self.kernel_initializer, "dtype": dtype}
        hidden_width = int(self.width * self.expansion)
        self.depthwise = DepthwiseConv2D(
            self.kernel_size,
            strides=self.strides,
            padding=self.padding,
            depth_multiplier=self.width // channels,
            depthwise_initializer=self.kernel_initializer,
            name="depthwise",
            dtype=dtype,
        )
        self.norm = normalization(
            self.norm_kind, epsilon=self.norm_epsilon, momentum=self.norm_momentum, name="norm", dtype=dtype
        )
        self.mlp_expansion = pointwise(hidden_width, use_bias=True, name="mlp_expansion", **kernel)
        self.mlp_projection = pointwise(self.width, use_bias=True, name="mlp_projection", **kernel)
        scaled = self.initial_scale is not None
        self.layer_scale = LayerScale(self.initial_scale, name="layer_scale", dtype=dtype) if scaled else None
        self.drop_path = DropPath(self.drop_path_rate, name="drop_path", dtype=dtype)
        projects = channels != self.width
        self.shortcut = (
            pointwise(self.width, use_bias=self.shortcut_bias, name="shortcut", **kernel) if projects else None
        )
        self._build_sublayers(input_shape, hidden_width)

    def _build_sublayers(self, input_shape, hidden_width):
        output_shape = self.compute_output_shape(input_shape)
        branch = [convolved_size(side, self.padding, self.kernel_size, self.strides) for side in input_shape[1:3]]
        check_same_size(self, input_shape, branch, output_shape[1:3])
        self.depthwise.build(input_shape)
        if self.norm is not None:
            self.norm.build(output_shape)
        self.mlp_expansion.build(output_shape)
        self.mlp_projection.build((*output_shape[:-1], hidden_width))
        if self.layer_scale is not None:
            self.layer_scale.build(output_shape)
        if self.shortcut is not None:
            self.shortcut.build(input_shape)

    def call(self, x, training=None):
        y = forward(self.depthwise, x)
        y = normalize(self.norm, y, training)
        y = forward(self.mlp_projection, project(self.mlp_expansion, y, self.activation))
        if self.layer_scale is not None:
            y = forward(self.layer_scale, y)
        shortcut = pool(x, self.shortcut_pool, self.strides)
        if self.shortcut is not None:
            shortcut = forward(self.shortcut, shortcut)
        return shortcut + forward(self.drop_path, y, training=training)

    def compute_output_shape(self, input_shape):
        height, width = (pooled_size(side, self.shortcut_pool, self.strides) for side in input_shape[1:3])
        return (input_shape[0], height, width, self.width)

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "strides": self.strides,
            "expansion": self.expansion,
            "kernel_size": self.kernel_size,
            "padding": self.padding,
            "activation": activation_name(self._activation),
            "norm": self.norm_kind,
            "norm_epsilon": self.norm_epsilon,
            "norm_momentum": self.norm_momentum,
            "shortcut_pool": self.shortcut_pool,
            "shortcut_bias": self.shortcut_bias,
            "layer_scale": self.initial_scale,
            "drop_path_rate": self.drop_path_rate,
            "kernel_initializer": serialize_initializer(self.kernel_initializer),
        }
