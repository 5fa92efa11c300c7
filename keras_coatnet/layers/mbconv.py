"""Inverted bottleneck behind a norm: x + project(depthwise(expand(norm(x)))). CoAtNet, arXiv 2106.04803, equation 5."""

import keras

from keras_coatnet.layers.activation import activation_name, get_activation
from keras_coatnet.layers.arguments import check_choice, check_counts, check_rates
from keras_coatnet.layers.composite import CompositeLayer
from keras_coatnet.layers.depthwise import PADDINGS, DepthwiseConv2D, convolved_size
from keras_coatnet.layers.drop_path import DropPath
from keras_coatnet.layers.fast.forward import forward
from keras_coatnet.layers.fast.torch_mbconv import infer, may_infer
from keras_coatnet.layers.initializers import serialize_initializer
from keras_coatnet.layers.normalization import check_norms, normalization, normalize
from keras_coatnet.layers.pointwise import pointwise
from keras_coatnet.layers.pooling import POOLS, check_same_size, pool, pooled_size
from keras_coatnet.layers.squeeze_excite import SqueezeExcite

STRIDE_PLACES = ("depthwise", "expand", "pool")
SQUEEZE_PLACES = ("after_norm", "before_norm")


@keras.saving.register_keras_serializable(package="keras_coatnet")
class MBConv(CompositeLayer):
    """Pre-norm inverted bottleneck with squeeze and excitation.

    p = f(norm(x));  y = conv1x1(p);  y = f(norm(y));  y = depthwise(y);  y = f(norm(y));  y = SE(y);  y = conv1x1(y)
    shortcut(x) + y, with shortcut(x) = project(pool(x)), or project(pool(p)) with `prenorm_shortcut` (the V2 residual);
    without stride and with equal widths it is x itself.

    Args:
        width: channels of the result.
        expanded_width: channels of the depthwise convolution.
        squeeze_width: bottleneck of squeeze and excitation; 0 for none.
        strides: of the block.
        stride_in: "depthwise", "expand" (the 1x1 expansion skips pixels, the paper's default) or "pool" (a pool in
            front).
        kernel_size: of the depthwise convolution.
        padding: of the depthwise convolution, "symmetric" or "same" (see `DepthwiseConv2D`).
        activation: inside the branch.
        activation_first: f(conv) before the norm.
        prenorm_activation: activation behind the opening norm, or None.
        norm: kind of its norms, or one kind each for the opening one, that of the expansion and that of the depthwise
            convolution. norm_epsilon, norm_momentum: see `normalization`.
        expansion_bias, depthwise_bias: whether these convolutions have biases; None: with `activation_first`.
        squeeze_affine: see `SqueezeExcite`.
        squeeze_activation: of the bottleneck of squeeze and excitation.
        squeeze_place: "after_norm" or "before_norm": where squeeze and excitation sits behind the depthwise
            convolution.
        shortcut_pool, branch_pool: see `pool`; the second serves `stride_in="pool"`.
        project_shortcut: True, False, or None: where the widths differ.
        prenorm_shortcut: a projected shortcut reads the normalised input (V2) instead of the input (V1).
        shortcut_bias, projection_bias: whether these 1x1 convolutions have biases.
        drop_path_rate: of the branch.
        kernel_initializer, squeeze_initializer: None is Glorot uniform.

    Shapes: (B, H, W, C) -> (B, H', W', width).
    Raises: ValueError for an unknown pool, norm, padding or place of stride or squeeze, and at build for a map of which
        branch and shortcut make different sizes.
    Source: CoAtNet, arXiv 2106.04803; V1 and V2 as in keras_cv_attention_models.
    """

    def __init__(
        self,
        width,
        expanded_width,
        squeeze_width=0,
        strides=1,
        stride_in="depthwise",
        kernel_size=3,
        padding="symmetric",
        activation="gelu",
        activation_first=False,
        prenorm_activation=None,
        norm="batch",
        norm_epsilon=1e-5,
        norm_momentum=0.9,
        expansion_bias=None,
        depthwise_bias=None,
        squeeze_affine=False,
        squeeze_activation="gelu",
        squeeze_place="after_norm",
        shortcut_pool="max",
        branch_pool="max",
        project_shortcut=None,
        prenorm_shortcut=False,
        shortcut_bias=True,
        projection_bias=True,
        drop_path_rate=0.0,
        kernel_initializer=None,
        squeeze_initializer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_counts(width=width, expanded_width=expanded_width, strides=strides, kernel_size=kernel_size)
        check_choice("stride_in", stride_in, STRIDE_PLACES)
        check_choice("padding", padding, PADDINGS)
        check_choice("squeeze_place", squeeze_place, SQUEEZE_PLACES)
        check_choice("shortcut_pool", shortcut_pool, POOLS)
        check_choice("branch_pool", branch_pool, POOLS)
        check_rates(drop_path_rate=drop_path_rate)
        self.width = width
        self.expanded_width = expanded_width
        self.squeeze_width = squeeze_width
        self.strides = strides
        self.stride_in = stride_in
        self.kernel_size = kernel_size
        self.padding = padding
        self.activation = get_activation(activation)
        self._activation = activation
        self.activation_first = activation_first
        self.prenorm_activation = get_activation(prenorm_activation)
        self._prenorm_activation = prenorm_activation
        self.norm = tuple(norm) if isinstance(norm, list) else norm
        self.prenorm_kind, self.expansion_norm_kind, self.depthwise_norm_kind = check_norms(norm, places=3)
        self.norm_epsilon = norm_epsilon
        self.norm_momentum = norm_momentum
        self.expansion_bias = activation_first if expansion_bias is None else expansion_bias
        self.depthwise_bias = activation_first if depthwise_bias is None else depthwise_bias
        self.squeeze_affine = squeeze_affine
        self.squeeze_activation = squeeze_activation
        self.squeeze_place = squeeze_place
        self.shortcut_pool = shortcut_pool
        self.branch_pool = branch_pool
        self.project_shortcut = project_shortcut
        self.prenorm_shortcut = prenorm_shortcut
        self.shortcut_bias = shortcut_bias
        self.projection_bias = projection_bias
        self.drop_path_rate = drop_path_rate
        self.kernel_initializer = kernel_initializer
        self.squeeze_initializer = squeeze_initializer

    def build(self, input_shape):
        dtype = self.dtype_policy
        norm = {"epsilon": self.norm_epsilon, "momentum": self.norm_momentum, "dtype": dtype}
        kernel = {"kernel_initializer": self.kernel_initializer, "dtype": dtype}
        projects = input_shape[-1] != self.width if self.project_shortcut is None else self.project_shortcut
        self.prenorm = normalization(self.prenorm_kind, name="prenorm", **norm)
        self.expansion = pointwise(self.expanded_width, use_bias=self.expansion_bias, name="expansion", **kernel)
        self.expansion_norm = normalization(self.expansion_norm_kind, name="expansion_norm", **norm)
        self.depthwise = DepthwiseConv2D(
            self.kernel_size,
            strides=self.strides if self.stride_in == "depthwise" else 1,
            padding=self.padding,
            use_bias=self.depthwise_bias,
            depthwise_initializer=self.kernel_initializer,
            name="depthwise",
            dtype=dtype,
        )
        self.depthwise_norm = normalization(self.depthwise_norm_kind, name="depthwise_norm", **norm)
        self.squeeze_excite = self._make_squeeze_excite()
        self.projection = pointwise(self.width, use_bias=self.projection_bias, name="projection", **kernel)
        self.drop_path = DropPath(self.drop_path_rate, name="drop_path", dtype=dtype)
        self.shortcut = (
            pointwise(self.width, use_bias=self.shortcut_bias, name="shortcut", **kernel) if projects else None
        )
        self._build_sublayers(input_shape)

    def _make_squeeze_excite(self):
        if not self.squeeze_width:
            return None
        return SqueezeExcite(
            self.squeeze_width,
            activation=self.squeeze_activation,
            affine=self.squeeze_affine,
            kernel_initializer=self.squeeze_initializer,
            name="squeeze_excite",
            dtype=self.dtype_policy,
        )

    def _build_sublayers(self, input_shape):
        output_shape = self.compute_output_shape(input_shape)
        check_same_size(self, input_shape, self._branch_size(input_shape), output_shape[1:3])
        expanded = (*output_shape[:-1], self.expanded_width)
        for layer in (self.prenorm, self.expansion, self.shortcut):
            if layer is not None:
                layer.build(input_shape)
        for layer in (self.expansion_norm, self.depthwise, self.depthwise_norm, self.squeeze_excite, self.projection):
            if layer is not None:
                layer.build(expanded)

    def _branch_size(self, input_shape):
        sides = input_shape[1:3]
        if self.stride_in == "pool":
            sides = [pooled_size(side, self.branch_pool, self.strides) for side in sides]
        elif self.stride_in == "expand":
            sides = [None if side is None else -(-side // self.strides) for side in sides]
        strides = self.strides if self.stride_in == "depthwise" else 1
        return [convolved_size(side, self.padding, self.kernel_size, strides) for side in sides]

    def call(self, x, training=None):
        if may_infer(self, x, training):
            return infer(self, x)
        y = self.prenorm_activation(normalize(self.prenorm, x, training))
        shortcut = self.shortcut_of(x, y)
        y = self.stride_in_front(y)
        y = self._normalize_and_activate(self.expansion_norm, forward(self.expansion, y), training)
        y = forward(self.depthwise, y)
        if self.squeeze_excite is not None and self.squeeze_place == "before_norm":
            y = forward(self.squeeze_excite, y)
        y = self._normalize_and_activate(self.depthwise_norm, y, training)
        if self.squeeze_excite is not None and self.squeeze_place == "after_norm":
            y = forward(self.squeeze_excite, y)
        return shortcut + forward(self.drop_path, forward(self.projection, y), training=training)

    def stride_in_front(self, y):
        """What the expansion reads of a map: less of it where the stride is not the depthwise convolution's."""
        if self.stride_in == "pool":
            return pool(y, self.branch_pool, self.strides)
        if self.stride_in == "expand" and self.strides > 1:
            # A strided 1x1 convolution reads every stride-th pixel and no other.
            return y[:, :: self.strides, :: self.strides, :]
        return y

    def shortcut_of(self, x, normalized):
        """What is added to the branch, from the input and from what the opening norm makes of it."""
        if self.shortcut is None:
            return pool(x, self.shortcut_pool, self.strides)
        source = normalized if self.prenorm_shortcut else x
        return forward(self.shortcut, pool(source, self.shortcut_pool, self.strides))

    def _normalize_and_activate(self, norm, x, training):
        if self.activation_first:
            return normalize(norm, self.activation(x), training)
        return self.activation(normalize(norm, x, training))

    def compute_output_shape(self, input_shape):
        height, width = (pooled_size(side, self.shortcut_pool, self.strides) for side in input_shape[1:3])
        return (input_shape[0], height, width, self.width)

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "expanded_width": self.expanded_width,
            "squeeze_width": self.squeeze_width,
            "strides": self.strides,
            "stride_in": self.stride_in,
            "kernel_size": self.kernel_size,
            "padding": self.padding,
            "activation": activation_name(self._activation),
            "activation_first": self.activation_first,
            "prenorm_activation": activation_name(self._prenorm_activation),
            "norm": self.norm,
            "norm_epsilon": self.norm_epsilon,
            "norm_momentum": self.norm_momentum,
            "expansion_bias": self.expansion_bias,
            "depthwise_bias": self.depthwise_bias,
            "squeeze_affine": self.squeeze_affine,
            "squeeze_activation": activation_name(self.squeeze_activation),
            "squeeze_place": self.squeeze_place,
            "shortcut_pool": self.shortcut_pool,
            "branch_pool": self.branch_pool,
            "project_shortcut": self.project_shortcut,
            "prenorm_shortcut": self.prenorm_shortcut,
            "shortcut_bias": self.shortcut_bias,
            "projection_bias": self.projection_bias,
            "drop_path_rate": self.drop_path_rate,
            "kernel_initializer": serialize_initializer(self.kernel_initializer),
            "squeeze_initializer": serialize_initializer(self.squeeze_initializer),
        }
