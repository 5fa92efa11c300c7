"""Factorised attention: y = q (softmax(k)^T v) / sqrt(d) + q * DWConv(v). CoaT, arXiv 2104.06399, section 3.1."""

import keras
from keras import ops

from keras_coatnet.layers.arguments import check_counts, check_rates
from keras_coatnet.layers.attention_map import FactorizedAttentionMap
from keras_coatnet.layers.composite import at_least_float32
from keras_coatnet.layers.conv_position import convolve_values
from keras_coatnet.layers.dropout import Dropout
from keras_coatnet.layers.fast import torch_tokens
from keras_coatnet.layers.fast.forward import forward, runs_natively
from keras_coatnet.layers.initializers import serialize_initializer
from keras_coatnet.layers.pointwise import pointwise
from keras_coatnet.layers.rematerialization import RematerializingLayer


@keras.saving.register_keras_serializable(package="keras_coatnet")
class FactorizedAttention(RematerializingLayer):
    """Attention whose cost grows with the number of tokens, not with its square.

    Keys are softmaxed over the tokens, keys and values make one d x d matrix a head, and queries read that:
    y = q (softmax(k)^T v) / sqrt(d). Positions come from windows over the map's values: + q * DWConv(v), which tokens
    outside the map, such as class tokens, go without.

    Args:
        num_heads: heads; they divide the channels.
        qkv_bias, output_bias: whether the two projections have biases.
        attention_dropout_rate: on the softmaxed keys. dropout_rate: on the result.
        kernel_initializer: of both projections; None is Glorot uniform.
        rematerialize: whether all between the projections is made again for the gradients instead of being kept, where
            nothing is dropped from the keys.

    The kernel of `qkv` holds the columns of q, of k and of v of all heads, in this order.

    Call: (tokens, windows=None, sides=None). tokens: (B, N, C), the last H * W being those of a map, row by row;
        windows: what `ConvRelativePosition` gives; sides: (H, W), needed with windows.

    Shapes: (B, N, C) -> (B, N, C).
    Raises: ValueError for channels that heads do not divide, for windows without sides.
    Source: CoaT, arXiv 2104.06399, section 3.1, equations 4 and 7.
    """

    def __init__(
        self,
        num_heads=8,
        qkv_bias=True,
        output_bias=True,
        attention_dropout_rate=0.0,
        dropout_rate=0.0,
        kernel_initializer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_counts(num_heads=num_heads)
        check_rates(attention_dropout_rate=attention_dropout_rate, dropout_rate=dropout_rate)
        self.num_heads = num_heads
        self.qkv_bias = qkv_bias
        self.output_bias = output_bias
        self.attention_dropout_rate = attention_dropout_rate
        self.dropout_rate = dropout_rate
        self.kernel_initializer = kernel_initializer

    def build(self, input_shape):
        dtype, width = self.dtype_policy, input_shape[-1]
        if width % self.num_heads:
            raise ValueError(f"Channels must be a multiple of num_heads={self.num_heads}; got {width}.")
        linear = {"kernel_initializer": self.kernel_initializer, "dtype": dtype}
        self.qkv = pointwise(3 * width, use_bias=self.qkv_bias, name="qkv", **linear)
        self.attention_dropout = Dropout(self.attention_dropout_rate, name="attention_dropout", dtype=dtype)
        self.projection = pointwise(width, use_bias=self.output_bias, name="projection", **linear)
        self.dropout = Dropout(self.dropout_rate, name="dropout", dtype=dtype)
        self.qkv.build(input_shape)
        self.projection.build(input_shape)

    def call(self, tokens, windows=None, sides=None, training=None):
        if windows is not None and sides is None:
            raise ValueError("windows need the sides (H, W) of the map that the last tokens are; got sides=None.")

        def mix(q, k, v, *windows):
            if self._mixes_natively(q, training):
                return torch_tokens.mix(q, k, v, windows, sides, self.num_heads)
            y = self._attend(q, k, v, training)
            return add_to_map(y, self._see_positions(q, v, windows, sides)) if windows else y

        y = self.run_part(
            mix,
            *self._project(tokens),
            *(windows or ()),
            training=training,
            dropout_rate=self.attention_dropout_rate,
        )
        return forward(self.dropout, forward(self.projection, y), training=training)

    def attention_map(self, tokens, windows=None, sides=None, training=None):
        """What is read at a map's pixels, of what `call` takes: a `FactorizedAttentionMap`. Windows have no part in it.

        Raises: ValueError without sides.
        """
        if sides is None:
            raise ValueError("What the last tokens look at needs the sides (H, W) of their map; got sides=None.")
        height, width = sides
        q, k, _ = self._project(tokens)
        first = ops.shape(q)[1] - height * width

        def on_map(x):
            x = self._heads(x[:, first:], (0, 2, 1, 3))
            return ops.reshape(x, (-1, self.num_heads, height, width, x.shape[-1]))

        return FactorizedAttentionMap(keys=on_map(self._softmax(k)), queries=on_map(q))

    def _project(self, tokens):
        """Queries, keys and values: (B, N, C) each."""
        width = tokens.shape[-1]
        qkv = forward(self.qkv, tokens)
        return qkv[..., :width], qkv[..., width : 2 * width], qkv[..., 2 * width :]

    def _mixes_natively(self, q, training):
        """Whether PyTorch's own operations give the same in `q`'s precision."""
        drops = training and self.attention_dropout_rate > 0
        return runs_natively(q) and not drops and q.itemsize > 2

    def _softmax(self, k):
        return ops.cast(softmax_over_tokens(ops.cast(k, at_least_float32(k.dtype))), k.dtype)

    def _attend(self, q, k, v, training):
        """q (softmax(k)^T v) / sqrt(d): (B, N, C)."""
        k = forward(self.attention_dropout, self._softmax(k), training=training)
        q, k, v = self._heads(q, (0, 2, 1, 3)), self._heads(k, (0, 2, 3, 1)), self._heads(v, (0, 2, 1, 3))
        context = ops.matmul(k, v)  # (B, heads, d, N) (B, heads, N, d) -> (B, heads, d, d)
        context = context * (context.shape[-1] ** -0.5)
        y = ops.transpose(ops.matmul(q, context), (0, 2, 1, 3))  # (B, N, heads, d)
        return ops.reshape(y, (-1, ops.shape(y)[1], y.shape[2] * y.shape[3]))

    def _heads(self, x, axes):
        """(B, N, C) -> (B, N, heads, d) with its axes in the order `axes`."""
        x = ops.reshape(x, (-1, ops.shape(x)[1], self.num_heads, x.shape[-1] // self.num_heads))
        return ops.transpose(x, axes)

    def _see_positions(self, q, v, windows, sides):
        """q * DWConv(v) for the tokens of the map: (B, H * W, C)."""
        height, width = sides
        first = ops.shape(q)[1] - height * width
        channels = q.shape[-1]
        values = convolve_values(ops.reshape(v[:, first:], (-1, height, width, channels)), windows)
        return q[:, first:] * ops.reshape(values, (-1, height * width, channels))

    def compute_output_shape(self, tokens_shape, windows_shape=None):
        return tuple(tokens_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "qkv_bias": self.qkv_bias,
            "output_bias": self.output_bias,
            "attention_dropout_rate": self.attention_dropout_rate,
            "dropout_rate": self.dropout_rate,
            "kernel_initializer": serialize_initializer(self.kernel_initializer),
        }


def softmax_over_tokens(keys):
    """(B, N, C) -> the same, each channel adding up to 1."""
    if keys.shape[1] == 1:
        return ops.exp(keys - keys)  # the only token gets 1, with a gradient of 0; Keras' softmax would warn
    return ops.softmax(keys, axis=1)


def add_to_map(tokens, positions):
    """Add to the last tokens, those of the map; the first ones stay."""
    first = ops.shape(tokens)[1] - ops.shape(positions)[1]
    if isinstance(first, int) and first == 0:
        return tokens + positions
    return ops.concatenate([tokens[:, :first], tokens[:, first:] + positions], axis=1)
