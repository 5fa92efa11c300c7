"""Serial block: x + attention(norm(x)), then x + mlp(norm(x)), class token and map together. arXiv 2104.06399, 3.2."""

import keras
from keras import ops

from keras_coatnet.layers.activation import activation_name, get_activation
from keras_coatnet.layers.arguments import check_rates
from keras_coatnet.layers.drop_path import DropPath
from keras_coatnet.layers.factorized_attention import FactorizedAttention
from keras_coatnet.layers.fast import torch_tokens
from keras_coatnet.layers.fast.forward import forward, runs_natively
from keras_coatnet.layers.initializers import serialize_initializer
from keras_coatnet.layers.normalization import check_norms, normalization, normalize
from keras_coatnet.layers.perceptron import Perceptron
from keras_coatnet.layers.rematerialization import RematerializingLayer


@keras.saving.register_keras_serializable(package="keras_coatnet")
class SerialBlock(RematerializingLayer):
    """Factorised attention and a perceptron, each a residual branch behind its norm, on a map and its class token.

    Args:
        num_heads: heads of the attention.
        expansion: hidden channels of the perceptron over those of the map.
        activation: of the perceptron.
        norm: kind of its norms, or one kind each for the attention's and the perceptron's. norm_epsilon: of both.
        qkv_bias: whether q, k and v have biases.
        drop_path_rate: of both branches, with draws of their own.
        attention_dropout_rate: on softmaxed keys. dropout_rate: on the attention's result and in the perceptron.
        kernel_initializer: of all linear maps; None is Glorot uniform.
        rematerialize: see `FactorizedAttention` and `Perceptron`.

    Call: (image_map, class_token, windows): `windows` is what the scale's `ConvRelativePosition` gives.

    Shapes: (B, H, W, C), (B, 1, C) -> the same pair.
    Source: CoaT, arXiv 2104.06399, section 3.2, figure 3.
    """

    def __init__(
        self,
        num_heads=8,
        expansion=4,
        activation="gelu",
        norm="layer",
        norm_epsilon=1e-6,
        qkv_bias=True,
        drop_path_rate=0.0,
        attention_dropout_rate=0.0,
        dropout_rate=0.0,
        kernel_initializer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_rates(drop_path_rate=drop_path_rate)
        self.num_heads = num_heads
        self.expansion = expansion
        get_activation(activation)
        self.activation = activation
        self.norm = tuple(norm) if isinstance(norm, list) else norm
        self.attention_norm_kind, self.mlp_norm_kind = check_norms(norm, places=2)
        self.norm_epsilon = norm_epsilon
        self.qkv_bias = qkv_bias
        self.drop_path_rate = drop_path_rate
        self.attention_dropout_rate = attention_dropout_rate
        self.dropout_rate = dropout_rate
        self.kernel_initializer = kernel_initializer

    def build(self, image_map_shape, class_token_shape=None, windows_shape=None):
        dtype, width = self.dtype_policy, image_map_shape[-1]
        shared = {
            "dropout_rate": self.dropout_rate,
            "kernel_initializer": self.kernel_initializer,
            "rematerialize": self.rematerialize,
            "dtype": dtype,
        }
        norm = {"epsilon": self.norm_epsilon, "momentum": None, "dtype": dtype}
        self.attention_norm = normalization(self.attention_norm_kind, name="attention_norm", **norm)
        self.attention = FactorizedAttention(
            self.num_heads,
            qkv_bias=self.qkv_bias,
            attention_dropout_rate=self.attention_dropout_rate,
            name="attention",
            **shared,
        )
        self.attention_drop_path = DropPath(self.drop_path_rate, name="attention_drop_path", dtype=dtype)
        self.mlp_norm = normalization(self.mlp_norm_kind, name="mlp_norm", **norm)
        self.mlp = Perceptron(int(width * self.expansion), self.activation, name="mlp", **shared)
        self.mlp_drop_path = DropPath(self.drop_path_rate, name="mlp_drop_path", dtype=dtype)
        tokens_shape = (image_map_shape[0], None, width)
        for layer in (self.attention_norm, self.attention, self.mlp_norm, self.mlp):
            layer.build(tokens_shape)

    def call(self, image_map, class_token, windows, training=None):
        x = join(class_token, image_map)
        y = normalize(self.attention_norm, x, training)
        y = forward(self.attention, y, windows=windows, sides=sides_of(image_map), training=training)
        x = x + forward(self.attention_drop_path, y, training=training)
        y = forward(self.mlp, normalize(self.mlp_norm, x, training), training=training)
        x = x + forward(self.mlp_drop_path, y, training=training)
        return split(x, image_map)

    def compute_output_shape(self, image_map_shape, class_token_shape, windows_shape=None):
        return tuple(image_map_shape), tuple(class_token_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "expansion": self.expansion,
            "activation": activation_name(self.activation),
            "norm": self.norm,
            "norm_epsilon": self.norm_epsilon,
            "qkv_bias": self.qkv_bias,
            "drop_path_rate": self.drop_path_rate,
            "attention_dropout_rate": self.attention_dropout_rate,
            "dropout_rate": self.dropout_rate,
            "kernel_initializer": serialize_initializer(self.kernel_initializer),
        }


def sides_of(image_map):
    """(H, W) of a map; tensors where the graph runs later."""
    return tuple(ops.shape(image_map)[1:3])


def join(class_token, image_map):
    """(B, 1, C), (B, H, W, C) -> (B, 1 + H * W, C): the class token, then the pixels row by row."""
    if runs_natively(image_map):
        return torch_tokens.join(class_token, image_map)
    height, width = sides_of(image_map)
    pixels = ops.reshape(image_map, (-1, height * width, image_map.shape[-1]))
    return ops.concatenate([class_token, pixels], axis=1)


def split(tokens, image_map):
    """The reverse of `join`: (map with the sides of `image_map`, class token)."""
    if runs_natively(tokens):
        return torch_tokens.split(tokens, image_map)
    height, width = sides_of(image_map)
    return ops.reshape(tokens[:, 1:], (-1, height, width, tokens.shape[-1])), tokens[:, :1]
