"""Relative attention: y_i = sum_j softmax_j(q_i . k_j / sqrt(d) + w[i - j]) v_j. arXiv 2106.04803, section 2.1."""

import keras
from keras import ops

from keras_coatnet.layers.arguments import check_choice, check_counts, check_rates
from keras_coatnet.layers.attention_map import AttentionMap
from keras_coatnet.layers.composite import at_least_float32
from keras_coatnet.layers.constant_position import ConstantPositionBias
from keras_coatnet.layers.dropout import Dropout
from keras_coatnet.layers.fast import torch_forms
from keras_coatnet.layers.fast.forward import forward, runs_natively
from keras_coatnet.layers.fast.torch_products import is_transformed
from keras_coatnet.layers.initializers import serialize_initializer
from keras_coatnet.layers.pointwise import pointwise
from keras_coatnet.layers.relative_position import LogOffsetPositionBias, RelativePositionBiasTable
from keras_coatnet.layers.rematerialization import RematerializingLayer
from keras_coatnet.layers.table_resize import RULES

RELATIVE_POSITIONS = ("table", "mlp", "constant", None)
BIAS_PLACES = ("before_softmax", "after_softmax")


@keras.saving.register_keras_serializable(package="keras_coatnet")
class RelativeMultiHeadSelfAttention(RematerializingLayer):
    """Self-attention over all pixels of a map, with a bias that depends on the offset between two pixels.

    before_softmax: y_i = sum_j softmax_j(q_i . k_j / sqrt(d) + w[i - j]) v_j   (the paper's y^pre)
    after_softmax:  y_i = sum_j (softmax_j(q_i . k_j / sqrt(d)) + w[i - j]) v_j (the paper's y^post)

    Args:
        num_heads: heads, at least 1.
        head_dim: channels d of a head.
        output_width: channels of the result; None keeps the input's.
        scale_queries: divide them by sqrt(d); False where the kernel of `qkv` already does.
        relative_position: "table" (one value an offset and head), "mlp" (a small network over log offsets), "constant"
            (one value a pair of pixels and head, not trained) or None.
        bias_place: "before_softmax" or "after_softmax".
        table_grid, table_resize: see `RelativePositionBiasTable`.
        mlp_hidden_width, mlp_dropout_rate: see `LogOffsetPositionBias`.
        qkv_bias, output_bias: whether the two projections have biases.
        attention_dropout_rate: on the attention map. dropout_rate: on the result.
        kernel_initializer, output_initializer, table_initializer: None is Glorot uniform, and zeros for the table.
        rematerialize: whether attention maps are made again for the gradients instead of being kept, where nothing is
            dropped from them.

    The kernel of `qkv` holds, head by head, the columns of q, of k and of v.

    Shapes: (B, H, W, C) -> (B, H, W, output_width).
    Raises: ValueError for fewer than one head or channel, an unknown kind or place of the bias.
    Source: CoAtNet, arXiv 2106.04803, section 2.1, equation 2.
    """

    def __init__(
        self,
        num_heads,
        head_dim=32,
        output_width=None,
        scale_queries=True,
        relative_position="table",
        bias_place="before_softmax",
        table_grid=None,
        table_resize="bilinear",
        mlp_hidden_width=512,
        mlp_dropout_rate=0.125,
        qkv_bias=True,
        output_bias=True,
        attention_dropout_rate=0.0,
        dropout_rate=0.0,
        kernel_initializer=None,
        output_initializer=None,
        table_initializer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_counts(num_heads=num_heads, head_dim=head_dim, mlp_hidden_width=mlp_hidden_width)
        check_choice("relative_position", relative_position, RELATIVE_POSITIONS)
        check_choice("bias_place", bias_place, BIAS_PLACES)
        check_choice("table_resize", table_resize, RULES)
        check_rates(
            mlp_dropout_rate=mlp_dropout_rate, attention_dropout_rate=attention_dropout_rate, dropout_rate=dropout_rate
        )
        self.num_heads = num_heads
        self.head_dim = head_dim
        self.output_width = output_width
        self.scale_queries = scale_queries
        self.relative_position = relative_position
        self.bias_place = bias_place
        self.table_grid = None if table_grid is None else tuple(table_grid)
        self.table_resize = table_resize
        self.mlp_hidden_width = mlp_hidden_width
        self.mlp_dropout_rate = mlp_dropout_rate
        self.qkv_bias = qkv_bias
        self.output_bias = output_bias
        self.attention_dropout_rate = attention_dropout_rate
        self.dropout_rate = dropout_rate
        self.kernel_initializer = kernel_initializer
        self.output_initializer = output_initializer
        self.table_initializer = table_initializer

    def build(self, input_shape):
        dtype = self.dtype_policy
        width = self.num_heads * self.head_dim
        self.qkv = pointwise(
            3 * width, use_bias=self.qkv_bias, kernel_initializer=self.kernel_initializer, name="qkv", dtype=dtype
        )
        self.relative_position_bias = self._make_bias()
        self.attention_dropout = Dropout(self.attention_dropout_rate, name="attention_dropout", dtype=dtype)
        self.projection = pointwise(
            self.output_width or input_shape[-1],
            use_bias=self.output_bias,
            kernel_initializer=self.output_initializer,
            name="projection",
            dtype=dtype,
        )
        self.dropout = Dropout(self.dropout_rate, name="dropout", dtype=dtype)
        self.qkv.build(input_shape)
        if self.relative_position_bias is not None:
            self.relative_position_bias.build(input_shape)
        self.projection.build((*input_shape[:-1], width))

    def _make_bias(self):
        options = {"num_heads": self.num_heads, "name": "relative_position_bias", "dtype": self.dtype_policy}
        if self.relative_position == "table":
            return RelativePositionBiasTable(
                grid=self.table_grid, resize=self.table_resize, initializer=self.table_initializer, **options
            )
        if self.relative_position == "mlp":
            return LogOffsetPositionBias(
                hidden_width=self.mlp_hidden_width,
                dropout_rate=self.mlp_dropout_rate,
                kernel_initializer=self.kernel_initializer,
                **options,
            )
        if self.relative_position == "constant":
            return ConstantPositionBias(**options)
        return None

    def call(self, x, training=None):
        height, width = ops.shape(x)[1], ops.shape(x)[2]

        def mix(q, k, v, *bias):
            if self._attends_natively(q, training, *bias):
                return torch_forms.attend(q, k, v, *bias, scale=self.head_dim**-0.5 if self.scale_queries else 1.0)
            weights = self._attend(q, k, *bias)
            return ops.matmul(forward(self.attention_dropout, weights, training=training), v)  # (B, heads, N, d)

        y = self.run_part(
            mix,
            *self._project(x),
            *self._position_bias(x, training),
            training=training,
            dropout_rate=self.attention_dropout_rate,
        )
        y = ops.reshape(ops.transpose(y, (0, 2, 1, 3)), (-1, height, width, self.num_heads * self.head_dim))
        return forward(self.dropout, forward(self.projection, y), training=training)

    def attention_map(self, x, training=None):
        """What each pixel reads, of what `call` takes: an `AttentionMap`."""
        height, width = ops.shape(x)[1], ops.shape(x)[2]
        q, k, _ = self._project(x)
        weights = self._attend(q, k, *self._position_bias(x, training=False))
        return AttentionMap(ops.reshape(weights, (-1, self.num_heads, height, width, height, width)))

    def _project(self, x):
        """Queries, keys and values: (B, heads, N, d) each."""
        d = self.head_dim
        qkv = ops.reshape(forward(self.qkv, x), (-1, ops.shape(x)[1] * ops.shape(x)[2], self.num_heads, 3 * d))
        qkv = ops.transpose(qkv, (0, 2, 1, 3))  # (B, heads, N, 3d)
        return qkv[..., :d], qkv[..., d : 2 * d], qkv[..., 2 * d :]

    def _position_bias(self, x, training):
        """The bias of each pair of pixels, (heads, N, N), as a list of one; an empty list where there is none."""
        if self.relative_position_bias is None:
            return []
        return [forward(self.relative_position_bias, x, training=training)]

    def _attends_natively(self, q, training, bias=None):
        """Whether PyTorch's own attention, faster where it need not keep the map, gives the same in `q`'s precision."""
        if not runs_natively(q) or is_transformed():
            return False
        import torch

        in_softmax = bias is None or (self.bias_place == "before_softmax" and bias.dtype is q.dtype)
        drops = training and self.attention_dropout_rate > 0
        return in_softmax and not drops and q.itemsize > 2 and not torch.is_grad_enabled()

    def _attend(self, q, k, bias=None):
        """Softmax over the keys and the position's share, in float32: (B, heads, N, N) in the dtype of `q`."""
        if self.scale_queries:
            q = q * (self.head_dim**-0.5)
        logits = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2)))  # (B, heads, N, N)
        precise = ops.cast(logits, at_least_float32(logits.dtype))
        if bias is None:
            return ops.cast(_softmax(precise), logits.dtype)
        bias = ops.cast(bias, precise.dtype)
        if self.bias_place == "before_softmax":
            weights = _softmax(precise + bias)
        else:
            weights = _softmax(precise) + bias
        return ops.cast(weights, logits.dtype)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.output_width or input_shape[-1])

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "head_dim": self.head_dim,
            "output_width": self.output_width,
            "scale_queries": self.scale_queries,
            "relative_position": self.relative_position,
            "bias_place": self.bias_place,
            "table_grid": self._config_grid(),
            "table_resize": self.table_resize,
            "mlp_hidden_width": self.mlp_hidden_width,
            "mlp_dropout_rate": self.mlp_dropout_rate,
            "qkv_bias": self.qkv_bias,
            "output_bias": self.output_bias,
            "attention_dropout_rate": self.attention_dropout_rate,
            "dropout_rate": self.dropout_rate,
            "kernel_initializer": serialize_initializer(self.kernel_initializer),
            "output_initializer": serialize_initializer(self.output_initializer),
            "table_initializer": serialize_initializer(self.table_initializer),
        }

    def _config_grid(self):
        """The grid as given, or the one that a file brought to a map of open size."""
        bias = getattr(self, "relative_position_bias", None)
        return self.table_grid if self.table_grid is None else getattr(bias, "grid", self.table_grid)


def _softmax(logits):
    """Over the keys. The only key of a one-pixel map, the last of small images, gets 1; Keras' softmax would warn."""
    if logits.shape[-1] == 1:
        return ops.exp(logits - logits)  # 1 with a gradient of 0, so that no weight goes without one
    return ops.softmax(logits, axis=-1)
