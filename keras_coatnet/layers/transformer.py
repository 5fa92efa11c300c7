"""Transformer block: x + attention(norm(x)), then x + mlp(norm(x)). CoAtNet, arXiv 2106.04803, equation 4."""

import keras

from keras_coatnet.layers.activation import activation_name, get_activation
from keras_coatnet.layers.arguments import check_choice, check_counts, check_rates
from keras_coatnet.layers.attention import RelativeMultiHeadSelfAttention
from keras_coatnet.layers.drop_path import DropPath
from keras_coatnet.layers.dropout import Dropout
from keras_coatnet.layers.fast.forward import forward
from keras_coatnet.layers.initializers import serialize_initializer
from keras_coatnet.layers.layer_scale import LayerScale
from keras_coatnet.layers.normalization import check_norms, normalization, normalize
from keras_coatnet.layers.pointwise import pointwise, project
from keras_coatnet.layers.pooling import POOLS, check_same_size, pool, pooled_size
from keras_coatnet.layers.rematerialization import RematerializingLayer


@keras.saving.register_keras_serializable(package="keras_coatnet")
class TransformerBlock(RematerializingLayer):
    """Relative attention and a two-layer perceptron, each a residual branch behind its norm.

    p = norm(x);  x <- shortcut(x) + attention(pool(p));  x <- x + mlp(norm(x))
    shortcut(x) = project(pool(x)), or project(pool(p)) with `prenorm_shortcut` (the V2 residual); without stride and
    with equal widths it is x itself.

    Args:
        width: channels of the result.
        num_heads: heads of the attention, at least 1.
        head_dim: channels of a head.
        strides: of the pools in front of both branches of the first sum.
        expansion: hidden channels of the perceptron over `width`.
        activation: of the perceptron.
        norm: kind of its norms, or one kind each for the attention's and the perceptron's. norm_epsilon, norm_momentum:
            see `normalization`.
        prenorm_activation: activation behind the attention's norm, or None.
        pool: see `pool`.
        project_shortcut: True, False, or None: where the widths differ.
        prenorm_shortcut: a projected shortcut reads the normalised input (V2) instead of the input (V1).
        shortcut_bias, qkv_bias, output_bias, mlp_bias: which linear maps have biases; `mlp_bias` may be a pair, one
            each for the perceptron's two.
        scale_queries, relative_position, bias_place, table_grid, table_resize: of the attention.
        position_hidden_width, position_dropout_rate: of the attention where `relative_position` is "mlp".
        layer_scale: initial value of the factors on both branches; None for none.
        drop_path_rate: of both branches, with draws of their own.
        attention_dropout_rate: on attention maps. dropout_rate: on the attention's result and inside the perceptron.
        kernel_initializer, output_initializer, table_initializer: None is Glorot uniform, and zeros for the table.
        rematerialize: whether attention maps and the perceptron's hidden maps are made again for the gradients instead
            of being kept, where nothing is dropped from them.

    Shapes: (B, H, W, C) -> (B, H', W', width), H' as the pool has it.
    Raises: ValueError for an unknown pool or norm, and what `RelativeMultiHeadSelfAttention` raises.
    Source: CoAtNet, arXiv 2106.04803; V1 and V2 as in keras_cv_attention_models.
    """

    def __init__(
        self,
        width,
        num_heads,
        head_dim=32,
        strides=1,
        expansion=4,
        activation="gelu",
        norm="layer",
        norm_epsilon=1e-5,
        norm_momentum=0.9,
        prenorm_activation=None,
        pool="max",
        project_shortcut=None,
        prenorm_shortcut=False,
        shortcut_bias=True,
        qkv_bias=True,
        output_bias=True,
        mlp_bias=True,
        scale_queries=True,
        relative_position="table",
        bias_place="before_softmax",
        table_grid=None,
        table_resize="bilinear",
        position_hidden_width=512,
        position_dropout_rate=0.125,
        layer_scale=None,
        drop_path_rate=0.0,
        attention_dropout_rate=0.0,
        dropout_rate=0.0,
        kernel_initializer=None,
        output_initializer=None,
        table_initializer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_counts(width=width, strides=strides)
        check_choice("pool", pool, POOLS)
        check_rates(drop_path_rate=drop_path_rate, position_dropout_rate=position_dropout_rate)
        self.width = width
        self.strides = strides
        self.expansion = expansion
        self.activation = get_activation(activation)
        self._activation = activation
        self.norm = tuple(norm) if isinstance(norm, list) else norm
        self.attention_norm_kind, self.mlp_norm_kind = check_norms(norm, places=2)
        self.norm_epsilon = norm_epsilon
        self.norm_momentum = norm_momentum
        self.prenorm_activation = get_activation(prenorm_activation)
        self._prenorm_activation = prenorm_activation
        self.pool = pool
        self.project_shortcut = project_shortcut
        self.prenorm_shortcut = prenorm_shortcut
        self.shortcut_bias = shortcut_bias
        self.mlp_bias = tuple(mlp_bias) if isinstance(mlp_bias, list | tuple) else (mlp_bias, mlp_bias)
        self.layer_scale = layer_scale
        self.drop_path_rate = drop_path_rate
        self.dropout_rate = dropout_rate
        self.kernel_initializer = kernel_initializer
        self.output_initializer = output_initializer
        self.attention = RelativeMultiHeadSelfAttention(
            num_heads,
            head_dim=head_dim,
            output_width=width,
            scale_queries=scale_queries,
            relative_position=relative_position,
            bias_place=bias_place,
            table_grid=table_grid,
            table_resize=table_resize,
            mlp_hidden_width=position_hidden_width,
            mlp_dropout_rate=position_dropout_rate,
            qkv_bias=qkv_bias,
            output_bias=output_bias,
            attention_dropout_rate=attention_dropout_rate,
            dropout_rate=dropout_rate,
            kernel_initializer=kernel_initializer,
            output_initializer=output_initializer,
            table_initializer=table_initializer,
            rematerialize=self.rematerialize,
            name="attention",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape):
        dtype = self.dtype_policy
        norm = {"epsilon": self.norm_epsilon, "momentum": self.norm_momentum, "dtype": dtype}
        kernel = {"kernel_initializer": self.kernel_initializer, "dtype": dtype}
        hidden_width = int(self.width * self.expansion)
        projects = input_shape[-1] != self.width if self.project_shortcut is None else self.project_shortcut
        self.attention_norm = normalization(self.attention_norm_kind, name="attention_norm", **norm)
        self.attention_scale = self._make_scale("attention_scale")
        self.attention_drop_path = DropPath(self.drop_path_rate, name="attention_drop_path", dtype=dtype)
        self.shortcut = (
            pointwise(self.width, use_bias=self.shortcut_bias, name="shortcut", **kernel) if projects else None
        )
        self.mlp_norm = normalization(self.mlp_norm_kind, name="mlp_norm", **norm)
        expansion_bias, projection_bias = self.mlp_bias
        self.mlp_expansion = pointwise(hidden_width, use_bias=expansion_bias, name="mlp_expansion", **kernel)
        self.mlp_dropout = Dropout(self.dropout_rate, name="mlp_dropout", dtype=dtype)
        self.mlp_projection = pointwise(self.width, use_bias=projection_bias, name="mlp_projection", **kernel)
        self.mlp_scale = self._make_scale("mlp_scale")
        self.mlp_drop_path = DropPath(self.drop_path_rate, name="mlp_drop_path", dtype=dtype)
        self._build_sublayers(input_shape, hidden_width)

    def _make_scale(self, name):
        return None if self.layer_scale is None else LayerScale(self.layer_scale, name=name, dtype=self.dtype_policy)

    def _build_sublayers(self, input_shape, hidden_width):
        output_shape = self.compute_output_shape(input_shape)
        check_same_size(self, input_shape, output_shape[1:3], output_shape[1:3])
        pooled_shape = (*output_shape[:-1], input_shape[-1])
        if self.attention_norm is not None:
            self.attention_norm.build(input_shape)
        self.attention.build(pooled_shape)
        if self.shortcut is not None:
            self.shortcut.build(pooled_shape)
        for layer in (self.attention_scale, self.mlp_norm, self.mlp_expansion, self.mlp_scale):
            if layer is not None:
                layer.build(output_shape)
        self.mlp_projection.build((*output_shape[:-1], hidden_width))

    def call(self, x, training=None):
        x = self._attend(x, training)

        def feed_forward(y):
            hidden = project(self.mlp_expansion, y, self.activation)
            return forward(self.mlp_projection, forward(self.mlp_dropout, hidden, training=training))

        y = normalize(self.mlp_norm, x, training)
        y = self.run_part(feed_forward, y, training=training, dropout_rate=self.dropout_rate)
        if self.mlp_scale is not None:
            y = forward(self.mlp_scale, y)
        return x + forward(self.mlp_drop_path, y, training=training)

    def _attend(self, x, training):
        y = self.prenorm_activation(normalize(self.attention_norm, x, training))
        pooled = pool(y, self.pool, self.strides)
        if self.shortcut is not None and self.prenorm_shortcut:
            shortcut = pooled
        else:
            shortcut = pool(x, self.pool, self.strides)
        if self.shortcut is not None:
            shortcut = forward(self.shortcut, shortcut)
        y = forward(self.attention, pooled, training=training)
        if self.attention_scale is not None:
            y = forward(self.attention_scale, y)
        return shortcut + forward(self.attention_drop_path, y, training=training)

    def compute_output_shape(self, input_shape):
        height, width = (pooled_size(side, self.pool, self.strides) for side in input_shape[1:3])
        return (input_shape[0], height, width, self.width)

    def get_config(self):
        attention = self.attention.get_config()
        return {
            **super().get_config(),
            "width": self.width,
            "strides": self.strides,
            "expansion": self.expansion,
            "activation": activation_name(self._activation),
            "norm": self.norm,
            "norm_epsilon": self.norm_epsilon,
            "norm_momentum": self.norm_momentum,
            "prenorm_activation": activation_name(self._prenorm_activation),
            "pool": self.pool,
            "project_shortcut": self.project_shortcut,
            "prenorm_shortcut": self.prenorm_shortcut,
            "shortcut_bias": self.shortcut_bias,
            "mlp_bias": self.mlp_bias,
            **{name: attention[name] for name in ATTENTION_ARGUMENTS},
            "position_hidden_width": attention["mlp_hidden_width"],
            "position_dropout_rate": attention["mlp_dropout_rate"],
            "layer_scale": self.layer_scale,
            "drop_path_rate": self.drop_path_rate,
            "dropout_rate": self.dropout_rate,
            "kernel_initializer": serialize_initializer(self.kernel_initializer),
            "output_initializer": serialize_initializer(self.output_initializer),
        }


# Arguments of the block that only its attention keeps.
ATTENTION_ARGUMENTS = (
    "num_heads",
    "head_dim",
    "scale_queries",
    "relative_position",
    "bias_place",
    "table_grid",
    "table_resize",
    "qkv_bias",
    "output_bias",
    "attention_dropout_rate",
    "table_initializer",
)
