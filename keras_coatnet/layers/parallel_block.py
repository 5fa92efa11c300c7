"""Parallel block: attention at several scales, whose results are resized and added up. CoaT, arXiv 2104.06399, 3.2."""

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
from keras_coatnet.layers.serial_block import join, sides_of, split


@keras.saving.register_keras_serializable(package="keras_coatnet")
class ParallelBlock(RematerializingLayer):
    """Every scale attends to itself; what it finds is resized to all other scales and added to theirs.

    x_s <- x_s + sum_t resize(attention_t(norm_t(x_t))), then x_s <- x_s + mlp(norm_s(x_s)). Maps are resized bilinearly
    with half-pixel centres and without antialiasing; class tokens are added as they are. One perceptron serves all
    scales.

    Args:
        scales: numbers of the scales, which name their sub-layers.
        num_heads, expansion, activation, qkv_bias, norm_epsilon: see `SerialBlock`.
        norm: kind of its norms, or one kind each for those of the attentions and of the perceptron.
        drop_path_rate: of each branch at each scale, with draws of their own.
        attention_dropout_rate, dropout_rate, kernel_initializer, rematerialize: see `SerialBlock`.

    Call: (image_maps, class_tokens, windows): lists with one entry a scale, see `SerialBlock`.

    Shapes: [(B, H, W, C), ...], [(B, 1, C), ...] -> the same pair of lists.
    Raises: ValueError for scales of different widths.
    Source: CoaT, arXiv 2104.06399, section 3.2, "feature interpolation".
    """

    def __init__(
        self,
        scales=(2, 3, 4),
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
        self.scales = tuple(scales)
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

    def build(self, image_maps_shape, class_tokens_shape=None, windows_shape=None):
        width = self._common_width(image_maps_shape)
        shared = {
            "dropout_rate": self.dropout_rate,
            "kernel_initializer": self.kernel_initializer,
            "rematerialize": self.rematerialize,
            "dtype": self.dtype_policy,
        }
        tokens_shape = (None, None, width)
        for scale in self.scales:
            for layer in self._layers_of(scale, shared):
                setattr(self, layer.name, layer)
                if not isinstance(layer, DropPath):
                    layer.build(tokens_shape)
        self.mlp = Perceptron(int(width * self.expansion), self.activation, name="mlp", **shared)
        self.mlp.build(tokens_shape)

    def _common_width(self, image_maps_shape):
        widths = [shape[-1] for shape in image_maps_shape]
        if len(widths) != len(self.scales) or len(set(widths)) != 1:
            raise ValueError(
                f"{self.name} adds up maps of scales {self.scales}, one each and of one width; got widths {widths}."
            )
        return widths[0]

    def _layers_of(self, scale, shared):
        norm = {"epsilon": self.norm_epsilon, "momentum": None, "dtype": self.dtype_policy}
        yield normalization(self.attention_norm_kind, name=f"attention_norm{scale}", **norm)
        yield FactorizedAttention(
            self.num_heads,
            qkv_bias=self.qkv_bias,
            attention_dropout_rate=self.attention_dropout_rate,
            name=f"attention{scale}",
            **shared,
        )
        yield DropPath(self.drop_path_rate, name=f"attention_drop_path{scale}", dtype=self.dtype_policy)
        yield normalization(self.mlp_norm_kind, name=f"mlp_norm{scale}", **norm)
        yield DropPath(self.drop_path_rate, name=f"mlp_drop_path{scale}", dtype=self.dtype_policy)

    def call(self, image_maps, class_tokens, windows, training=None):
        tokens = [join(*pair) for pair in zip(class_tokens, image_maps, strict=True)]
        found = []  # (map, class token) that the attention of each scale gives
        for scale, x, image_map, windows_of_scale in zip(self.scales, tokens, image_maps, windows, strict=True):
            y = normalize(self._of("attention_norm", scale), x, training)
            sides = sides_of(image_map)
            y = forward(self._of("attention", scale), y, windows=windows_of_scale, sides=sides, training=training)
            found.append(split(y, image_map))
        maps = dict(zip(self.scales, (y for y, _ in found), strict=True))
        class_sum = sum_up([class_token for _, class_token in found])
        outputs = []
        for scale, x, image_map in zip(self.scales, tokens, image_maps, strict=True):
            map_sum = sum_up([y if other == scale else resize(y, image_map) for other, y in maps.items()])
            x = x + forward(self._of("attention_drop_path", scale), join(class_sum, map_sum), training=training)
            y = forward(self.mlp, normalize(self._of("mlp_norm", scale), x, training), training=training)
            outputs.append(split(x + forward(self._of("mlp_drop_path", scale), y, training=training), image_map))
        return [image_map for image_map, _ in outputs], [class_token for _, class_token in outputs]

    def _of(self, name, scale):
        return getattr(self, f"{name}{scale}")

    def compute_output_shape(self, image_maps_shape, class_tokens_shape, windows_shape=None):
        return [tuple(shape) for shape in image_maps_shape], [tuple(shape) for shape in class_tokens_shape]

    def get_config(self):
        return {
            **super().get_config(),
            "scales": self.scales,
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


def sum_up(tensors):
    first, *others = tensors
    for other in others:
        first = first + other
    return first


def resize(image_map, target):
    """A map at the sides of another: what stands at the same place, interpolated between four pixels."""
    if runs_natively(image_map) and image_map.itemsize > 2:
        return torch_tokens.resize(image_map, target)
    return ops.image.resize(
        image_map, sides_of(target), interpolation="bilinear", antialias=False, data_format="channels_last"
    )
