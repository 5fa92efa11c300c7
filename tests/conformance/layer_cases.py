"""The cases of the layers' conformance suite: every public layer, every option of each at least once."""

import dataclasses

import keras

from keras_coatnet import layers
from keras_coatnet.layers.initializers import Normal, NormalFanOut, UniformFanIn

RATES = (
    "rate",
    "drop_path_rate",
    "dropout_rate",
    "attention_dropout_rate",
    "mlp_dropout_rate",
    "position_dropout_rate",
)


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer class, its arguments, and the map it is tried on.

    `on_open_sides` are the arguments to add where the map's sides are unknown, None where they have to be known; `rows`
    is False for a layer whose output has no batch axis.
    """

    id: str
    layer: type
    arguments: dict
    shape: tuple = (2, 4, 6, 8)
    on_open_sides: dict = dataclasses.field(default_factory=dict)
    rows: bool = True

    def make(self, **changes):
        return self.layer(**{**self.arguments, "name": "layer", **changes})

    def make_for_open_sides(self, **changes):
        return self.make(**{**self.on_open_sides, **changes})

    @property
    def rates(self):
        """The arguments that make training random."""
        return {name: value for name, value in self.arguments.items() if name in RATES and value}

    @property
    def path_rate(self):
        """Name of the argument that drops whole samples; None where none does."""
        return next((name for name in self.rates if name in ("rate", "drop_path_rate")), None)


def public_layers():
    """Every layer class of `keras_coatnet.layers`."""
    return {
        value
        for name, value in vars(layers).items()
        if not name.startswith("_") and isinstance(value, type) and issubclass(value, keras.layers.Layer)
    }


ODD = (2, 5, 7, 8)
GRID = {"table_grid": (4, 6)}

DEPTHWISE = [
    Case("valid", layers.DepthwiseConv2D, {"kernel_size": 3}),
    Case("same", layers.DepthwiseConv2D, {"kernel_size": 3, "padding": "same"}),
    Case("same_strided", layers.DepthwiseConv2D, {"kernel_size": 3, "strides": 2, "padding": "same"}),
    Case("same_unequal_strides", layers.DepthwiseConv2D, {"kernel_size": 3, "strides": (2, 1), "padding": "same"}),
    Case("symmetric_strided", layers.DepthwiseConv2D, {"kernel_size": 3, "strides": 2, "padding": "symmetric"}, ODD),
    Case("symmetric_large", layers.DepthwiseConv2D, {"kernel_size": (5, 3), "padding": "symmetric"}),
    Case("dilated", layers.DepthwiseConv2D, {"kernel_size": 3, "padding": "same", "dilation_rate": (2, 2)}),
    Case("multiplied", layers.DepthwiseConv2D, {"kernel_size": 3, "depth_multiplier": 2, "padding": "symmetric"}),
    Case(
        "unbiased", layers.DepthwiseConv2D, {"kernel_size": 2, "use_bias": False, "depthwise_initializer": "he_normal"}
    ),
]

MBCONV = [
    Case("plain", layers.MBConv, {"width": 8, "expanded_width": 16, "drop_path_rate": 0.2}),
    Case("widening", layers.MBConv, {"width": 12, "expanded_width": 16, "squeeze_width": 2}),
    Case("strided", layers.MBConv, {"width": 8, "expanded_width": 16, "strides": 2, "squeeze_width": 2}, ODD),
    Case(
        "stride_in_expand",
        layers.MBConv,
        {"width": 12, "expanded_width": 16, "strides": 2, "stride_in": "expand", "padding": "same"},
        ODD,
    ),
    Case(
        "stride_in_pool",
        layers.MBConv,
        {
            "width": 12,
            "expanded_width": 16,
            "strides": 2,
            "stride_in": "pool",
            "branch_pool": "average",
            "shortcut_pool": "average",
        },
        ODD,
    ),
    Case(
        "pool_3x3",
        layers.MBConv,
        {"width": 12, "expanded_width": 16, "strides": 2, "shortcut_pool": "max3x3", "shortcut_bias": False},
        ODD,
    ),
    Case(
        "activation_first",
        layers.MBConv,
        {"width": 8, "expanded_width": 16, "activation_first": True, "squeeze_width": 2, "squeeze_activation": "relu"},
    ),
    Case(
        "squeeze_before_norm",
        layers.MBConv,
        {
            "width": 8,
            "expanded_width": 16,
            "squeeze_width": 2,
            "squeeze_place": "before_norm",
            "prenorm_activation": "silu",
            "activation": "silu",
        },
    ),
    Case(
        "layer_norm",
        layers.MBConv,
        {"width": 8, "expanded_width": 16, "norm": "layer", "norm_epsilon": 1e-3, "projection_bias": False},
    ),
    Case(
        "folded",
        layers.MBConv,
        {
            "width": 12,
            "expanded_width": 16,
            "squeeze_width": 2,
            "squeeze_place": "before_norm",
            "squeeze_affine": True,
            "norm": ("affine", None, None),
            "prenorm_activation": "gelu",
            "expansion_bias": True,
            "depthwise_bias": True,
        },
    ),
    Case(
        "prenorm_shortcut",
        layers.MBConv,
        {
            "width": 8,
            "expanded_width": 16,
            "strides": 2,
            "kernel_size": 5,
            "project_shortcut": True,
            "prenorm_shortcut": True,
            "norm_momentum": 0.99,
            "kernel_initializer": Normal(0.1),
            "squeeze_initializer": UniformFanIn(),
        },
    ),
]

ATTENTION = [
    Case("table", layers.RelativeMultiHeadSelfAttention, {"num_heads": 2, "head_dim": 4}, on_open_sides=GRID),
    Case(
        "table_resized",
        layers.RelativeMultiHeadSelfAttention,
        {"num_heads": 2, "head_dim": 4, "table_grid": (3, 2), "table_resize": "geometric"},
    ),
    Case(
        "after_softmax",
        layers.RelativeMultiHeadSelfAttention,
        {"num_heads": 2, "head_dim": 3, "bias_place": "after_softmax", "table_initializer": Normal(0.02, cut=0.04)},
        on_open_sides=GRID,
    ),
    Case(
        "mlp",
        layers.RelativeMultiHeadSelfAttention,
        {
            "num_heads": 2,
            "head_dim": 4,
            "relative_position": "mlp",
            "mlp_hidden_width": 8,
            "mlp_dropout_rate": 0.1,
            "qkv_bias": False,
        },
    ),
    Case(
        "no_position",
        layers.RelativeMultiHeadSelfAttention,
        {
            "num_heads": 1,
            "head_dim": 4,
            "output_width": 12,
            "relative_position": None,
            "output_bias": False,
            "attention_dropout_rate": 0.1,
            "dropout_rate": 0.1,
            "kernel_initializer": Normal(0.1),
            "output_initializer": "zeros",
        },
    ),
]

HEADS = {"num_heads": 2, "head_dim": 4}
TRANSFORMER = [
    Case("plain", layers.TransformerBlock, {"width": 8, **HEADS, "drop_path_rate": 0.2}, on_open_sides=GRID),
    Case(
        "folded",
        layers.TransformerBlock,
        {
            "width": 12,
            **HEADS,
            "norm": ("standardize", None),
            "mlp_bias": (True, False),
            "scale_queries": False,
            "relative_position": "constant",
        },
        on_open_sides=None,
    ),
    Case("widening", layers.TransformerBlock, {"width": 12, **HEADS, "shortcut_bias": False}, on_open_sides=GRID),
    Case(
        "strided",
        layers.TransformerBlock,
        {"width": 12, **HEADS, "strides": 2, "activation": "silu", "expansion": 2.5},
        ODD,
        {"table_grid": (3, 4)},
    ),
    Case(
        "average_pool",
        layers.TransformerBlock,
        {"width": 8, **HEADS, "strides": 2, "pool": "average", "table_resize": "geometric", "rematerialize": True},
        ODD,
        {"table_grid": (2, 3)},
    ),
    Case(
        "pool_3x3",
        layers.TransformerBlock,
        {"width": 12, **HEADS, "strides": 2, "pool": "max3x3", "bias_place": "after_softmax"},
        ODD,
        {"table_grid": (3, 4)},
    ),
    Case(
        "mlp_position",
        layers.TransformerBlock,
        {
            "width": 8,
            **HEADS,
            "relative_position": "mlp",
            "position_hidden_width": 8,
            "position_dropout_rate": 0.1,
            "layer_scale": 0.1,
            "attention_dropout_rate": 0.1,
            "dropout_rate": 0.1,
        },
    ),
    Case(
        "batch_norm",
        layers.TransformerBlock,
        {
            "width": 8,
            **HEADS,
            "norm": "batch",
            "norm_epsilon": 1e-3,
            "norm_momentum": 0.99,
            "prenorm_activation": "silu",
            "relative_position": None,
            "qkv_bias": False,
            "output_bias": False,
            "mlp_bias": False,
        },
    ),
    Case(
        "prenorm_shortcut",
        layers.TransformerBlock,
        {
            "width": 8,
            **HEADS,
            "strides": 2,
            "project_shortcut": True,
            "prenorm_shortcut": True,
            "kernel_initializer": Normal(0.1),
            "output_initializer": "zeros",
            "table_initializer": Normal(0.02, cut=0.04),
        },
        on_open_sides={"table_grid": (2, 3)},
    ),
]

CONVNEXT = [
    Case("folded", layers.ConvNeXtBlock, {"width": 8, "kernel_size": 3, "norm": None, "layer_scale": None}),
    Case("plain", layers.ConvNeXtBlock, {"width": 8, "kernel_size": 3, "drop_path_rate": 0.2}),
    Case(
        "doubling",
        layers.ConvNeXtBlock,
        {"width": 16, "kernel_size": 3, "strides": 2, "expansion": 2.5, "shortcut_bias": False},
    ),
    Case(
        "max_pool",
        layers.ConvNeXtBlock,
        {"width": 16, "kernel_size": 3, "strides": 2, "shortcut_pool": "max", "padding": "same", "layer_scale": None},
        ODD,
    ),
    Case(
        "batch_norm",
        layers.ConvNeXtBlock,
        {
            "width": 8,
            "kernel_size": 5,
            "norm": "batch",
            "norm_epsilon": 1e-3,
            "norm_momentum": 0.99,
            "activation": "relu",
            "kernel_initializer": Normal(0.1),
        },
    ),
]

STEM = [
    Case("two_convolutions", layers.Stem, {"widths": (6, 8)}, (2, 8, 12, 3)),
    Case("folded", layers.Stem, {"widths": (6, 8), "norm": (None,), "use_bias": (True, False)}, (2, 8, 12, 3)),
    Case(
        "one_convolution",
        layers.Stem,
        {
            "widths": (8,),
            "strides": (4,),
            "kernel_sizes": (4,),
            "padding": "same",
            "kernel_initializer": NormalFanOut(),
        },
        (2, 8, 12, 3),
    ),
    Case(
        "three_convolutions",
        layers.Stem,
        {
            "widths": (4, 6, 8),
            "strides": (2, 1, 2),
            "kernel_sizes": (3, 1, 3),
            "padding": "same",
            "activation": "silu",
            "activation_first": True,
            "norm": "layer",
            "norm_epsilon": 1e-6,
        },
        (2, 9, 13, 3),
    ),
    Case("odd_image", layers.Stem, {"widths": (6, 8), "kernel_sizes": (5, 3), "norm_momentum": 0.99}, (2, 7, 11, 1)),
]

SMALL = [
    Case("dropping", layers.DropPath, {"rate": 0.4, "seed": 5}),
    Case("at_rate_zero", layers.DropPath, {}),
    Case("tiny_factor", layers.LayerScale, {}),
    Case("factor_of_one", layers.LayerScale, {"initial_value": 1.0}, (2, 5, 8)),
    Case("gelu", layers.SqueezeExcite, {"reduced_width": 2}),
    Case(
        "silu",
        layers.SqueezeExcite,
        {"reduced_width": 3, "activation": "silu", "kernel_initializer": Normal(0.1)},
    ),
    Case("scaled_gate", layers.SqueezeExcite, {"reduced_width": 3, "affine": True}),
    Case("plain", layers.Affine, {}),
    Case("constant", layers.ConstantPositionBias, {"num_heads": 2}, on_open_sides=None, rows=False),
    Case(
        "own_grid",
        layers.RelativePositionBiasTable,
        {"num_heads": 2},
        on_open_sides={"grid": (4, 6)},
        rows=False,
    ),
    Case(
        "other_grid",
        layers.RelativePositionBiasTable,
        {"num_heads": 3, "grid": (3, 5), "resize": "geometric", "initializer": "random_uniform"},
        rows=False,
    ),
    Case("network", layers.LogOffsetPositionBias, {"num_heads": 2, "hidden_width": 8, "dropout_rate": 0.0}, rows=False),
    Case(
        "network_with_dropout",
        layers.LogOffsetPositionBias,
        {"num_heads": 3, "hidden_width": 4, "kernel_initializer": Normal(0.1)},
        rows=False,
    ),
]

COAT = [
    Case("patches_of_2", layers.PatchEmbedding, {"width": 8}, (2, 5, 7, 3)),
    Case(
        "patches_of_4",
        layers.PatchEmbedding,
        {"width": 8, "patch_size": 4, "norm_epsilon": 1e-6, "kernel_initializer": Normal(0.1)},
        (2, 8, 13, 3),
    ),
    Case("patches_of_a_wide_map", layers.PatchEmbedding, {"width": 8, "patch_size": 2}, (2, 5, 7, 16)),
    Case("token", layers.ClassToken, {}, rows=False),
    Case("token_of_ones", layers.ClassToken, {"initializer": "ones"}, rows=False),
    Case("three_scales", layers.TokenAggregation, {}, (2, 3, 8), on_open_sides=None),
    Case("added", layers.ConvPositionEncoding, {}, ODD),
    Case(
        "folded",
        layers.ConvPositionEncoding,
        {"kernel_size": 5, "residual": False, "kernel_initializer": Normal(0.1)},
    ),
    Case("eight_heads", layers.FactorizedAttention, {"rematerialize": True}, (2, 7, 16)),
    Case(
        "dropping",
        layers.FactorizedAttention,
        {
            "num_heads": 2,
            "qkv_bias": False,
            "output_bias": False,
            "attention_dropout_rate": 0.1,
            "dropout_rate": 0.1,
            "kernel_initializer": Normal(0.1),
        },
        (2, 7, 8),
    ),
    Case("gelu", layers.Perceptron, {"hidden_width": 16, "rematerialize": True}, (2, 7, 8)),
    Case(
        "dropping",
        layers.Perceptron,
        {
            "hidden_width": 12,
            "activation": "relu",
            "use_bias": False,
            "dropout_rate": 0.1,
            "kernel_initializer": Normal(0.1),
        },
        (2, 4, 6, 8),
    ),
]

# Layers with several inputs or outputs; test_layers_of_many_inputs.py tries them inside models.
OF_MANY = {layers.ConvRelativePosition, layers.SerialBlock, layers.ParallelBlock}

CASES = tuple(
    dataclasses.replace(case, id=f"{case.layer.__name__}-{case.id}")
    for case in (*DEPTHWISE, *MBCONV, *ATTENTION, *TRANSFORMER, *CONVNEXT, *STEM, *SMALL, *COAT)
)
