"""What a CoAtNet is: a row of plain data. Nothing is checked here; `check.check_spec` does, when a model is built."""

import dataclasses
import difflib
import math

FAMILIES = ("coatnet", "paper", "timm")


@dataclasses.dataclass(frozen=True)
class CoAtNetSpec:
    """One architecture. Fields that may differ by stage take a number or one a stage.

    Shape
        depths, widths: blocks and channels of each stage.
        stem: width of the stem's convolutions, or one width a convolution.
        layout: kind of each stage's blocks, C (convolution) or T (transformer): one letter or string a stage; the last
            letter of a string serves all further blocks of its stage.
        strides: of the first block of each stage.
        stem_strides, stem_kernel_sizes: of the stem's convolutions.
        input_size, num_classes: as published; defaults for a model built from this row.
        size_multiple: input sides have to be multiples of it.
    Everywhere
        padding: of stem and depthwise convolutions, "symmetric" or "same".
        activation: of stem, C blocks and perceptrons' peers in T blocks (see `mlp_activation`).
        activation_first: activation before the norm in stem and C blocks, with biased convolutions.
        prenorm_shortcut: projected shortcuts read the normalised input (V2 residual) instead of the input (V1).
        project_first_shortcut: the first block of a stage projects its shortcut even where the widths agree.
        expansion: hidden channels of MBConv (over its base) and of perceptrons (over the width); by stage.
        initialization: name of a row of `initialization.RULES`.
    C blocks
        convolution_block: "mbconv" or "convnext".
        kernel_size: of their depthwise convolutions.
        convolution_norm, convolution_norm_epsilon, norm_momentum: of stem and C blocks.
        convolution_prenorm_activation: the activation also behind the opening norm.
        stride_in: "depthwise", "expand" or "pool". branch_pool: the pool of "pool".
        expansion_base: "input" or "output": the width `expansion` multiplies. expansion_divisor: round to multiples.
        se_ratio: squeeze width over its base: a number, one a stage, or one a block (a tuple of tuples); 0 for none.
        se_base: "input", "output" or "expanded". se_divisor: round to multiples. se_activation, se_place: see `MBConv`.
        convolution_pool: the pool of the shortcut.
        convolution_shortcut_bias, convolution_projection_bias: biases of those 1x1 convolutions.
        convolution_layer_scale: initial value, ConvNeXt blocks only; None for none.
    T blocks
        head_dim: channels of a head; by stage. num_heads: their number, by stage; None divides the attention's width.
        attention_width: "input" or "output": the block width that q, k and v have together with their heads.
        transformer_norm, transformer_norm_epsilon: "layer" or "batch"; also of the head's norm.
        transformer_prenorm_activation: the activation behind the attention's norm.
        transformer_pool: the pool of both branches.
        transformer_shortcut_bias, qkv_bias, attention_output_bias, mlp_bias: which linear maps have biases.
        mlp_activation: of the perceptron.
        relative_position: "table", "mlp", "constant" (see `fused`) or None. position_hidden_width,
            position_dropout_rate: of "mlp".
        bias_place: "before_softmax" or "after_softmax".
        table_resize: rule for tables of another size, "bilinear" or "geometric".
        transformer_layer_scale: initial value; None for none.
    Head
        head_norm: None, "before_pool" or "after_pool".
        hidden_head: a layer before the classifier: False, True (as wide as the last stage) or its width.
        hidden_head_activation: of that layer.
    Shipping
        folded: whether norms, layer scales and the attention's scale are folded into the linear maps beside them.
    Training
        drop_path_rate: published stochastic depth.
        drop_path_schedule: "linear" (rate * block / blocks), "linear_to_rate" (the last block gets the rate) or
            "constant".
    """

    name: str
    family: str
    depths: tuple
    widths: tuple
    stem: int | tuple
    layout: str | tuple = "CCTT"
    strides: tuple = (2, 2, 2, 2)
    stem_strides: tuple = (2, 1)
    stem_kernel_sizes: int | tuple = 3
    input_size: int = 224
    num_classes: int = 1000
    size_multiple: int = 1

    padding: str = "symmetric"
    activation: str = "gelu"
    activation_first: bool = False
    prenorm_shortcut: bool = False
    project_first_shortcut: bool = True
    expansion: float | tuple = 4
    initialization: str = "uniform_fan_in"

    convolution_block: str = "mbconv"
    kernel_size: int = 3
    convolution_norm: str = "batch"
    convolution_norm_epsilon: float = 1e-5
    norm_momentum: float = 0.9
    convolution_prenorm_activation: bool = False
    stride_in: str = "depthwise"
    branch_pool: str = "max"
    expansion_base: str = "input"
    expansion_divisor: int = 1
    se_ratio: float | tuple = 0.25
    se_base: str = "input"
    se_divisor: int = 8
    se_activation: str = "gelu"
    se_place: str = "after_norm"
    convolution_pool: str = "max"
    convolution_shortcut_bias: bool = False
    convolution_projection_bias: bool = False
    convolution_layer_scale: float | None = None

    head_dim: int | tuple = 32
    num_heads: int | tuple | None = None
    attention_width: str = "input"
    transformer_norm: str = "layer"
    transformer_norm_epsilon: float = 1e-5
    transformer_prenorm_activation: bool = False
    transformer_pool: str = "max"
    transformer_shortcut_bias: bool = False
    qkv_bias: bool = False
    attention_output_bias: bool = False
    mlp_bias: bool = False
    mlp_activation: str = "gelu"
    relative_position: str | None = "table"
    position_hidden_width: int = 512
    position_dropout_rate: float = 0.125
    bias_place: str = "before_softmax"
    table_resize: str = "bilinear"
    transformer_layer_scale: float | None = None

    head_norm: str | None = None
    hidden_head: bool | int = False
    hidden_head_activation: str = "tanh"

    folded: bool = False

    drop_path_rate: float = 0.0
    drop_path_schedule: str = "linear"

    def __post_init__(self):
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, _frozen(getattr(self, field.name)))

    def fused(self, relative_position=None):
        """The row of the same function with nothing left of norms that their neighbours can take.

        Args:
            relative_position: how the folded model knows positions: "table" or "constant" (spread over all pairs of
                pixels, for images of one size); None keeps the row's own way.
        """
        return dataclasses.replace(
            self,
            folded=True,
            transformer_layer_scale=None,
            convolution_layer_scale=None,
            relative_position=relative_position or self.relative_position,
        )


def _frozen(value):
    """Lists as tuples, at any depth: a spec can be a key, and what JSON made of it is equal to it."""
    return tuple(_frozen(entry) for entry in value) if isinstance(value, list | tuple) else value


def stem_widths(spec):
    """Widths of the stem's convolutions."""
    return _one_a_convolution(spec, spec.stem)


def stem_kernel_sizes(spec):
    """Kernel sizes of the stem's convolutions."""
    return _one_a_convolution(spec, spec.stem_kernel_sizes)


def _one_a_convolution(spec, value):
    return value if isinstance(value, tuple) else (value,) * len(spec.stem_strides)


# What the families fix; every row of `variants.py` and `coatnet_spec` start from one of these.
FAMILY_FIELDS = {
    # keras_cv_attention_models: the dataclass' own defaults.
    "coatnet": {},
    # arXiv 2106.04803 as read in the tables of parameter counts; where it is silent, google-research/maxvit.
    "paper": {
        "padding": "same",
        "project_first_shortcut": False,
        "initialization": "normal",
        "convolution_norm_epsilon": 1e-3,
        "norm_momentum": 0.99,
        "stride_in": "expand",
        "expansion_base": "output",
        "se_base": "output",
        "se_divisor": 1,
        "se_activation": "silu",
        "convolution_shortcut_bias": True,
        "convolution_projection_bias": True,
        "attention_width": "output",
        "transformer_shortcut_bias": True,
        "qkv_bias": True,
        "attention_output_bias": True,
        "mlp_bias": True,
        "head_norm": "after_pool",
        "hidden_head": True,
    },
    # timm's maxxvit.py, the traits of most of its rw models.
    "timm": {
        "size_multiple": 32,
        "activation": "silu",
        "project_first_shortcut": False,
        "initialization": "normal_fan_out",
        "convolution_prenorm_activation": True,
        "branch_pool": "average",
        "expansion_divisor": 8,
        "se_base": "expanded",
        "se_divisor": 1,
        "se_activation": "silu",
        "convolution_pool": "average",
        "transformer_norm_epsilon": 1e-6,
        "transformer_pool": "average",
        "transformer_shortcut_bias": True,
        "qkv_bias": True,
        "attention_output_bias": True,
        "mlp_bias": True,
        "table_resize": "geometric",
        "head_norm": "before_pool",
        "drop_path_schedule": "linear_to_rate",
    },
}


def coatnet_spec(depths, widths, stem, *, family="coatnet", name=None, **fields):
    """An architecture of one's own.

    Args:
        depths, widths: blocks and channels of each stage; any number of stages. One width doubles from stage to stage.
        stem: width of the stem, or one width a convolution.
        family: "coatnet" (keras_cv_attention_models'), "paper" or "timm": where the other fields start.
        name: of the model; None is "coatnet_custom".
        fields: fields of `CoAtNetSpec`, among them `layout`, `head_dim`, `num_heads`, `expansion`, `strides`,
            `stem_strides`, `se_ratio`, `drop_path_rate`, `drop_path_schedule`, `hidden_head`.

    Returns: a `CoAtNetSpec`; nothing in it is checked before a model is built.
    Raises: ValueError for an unknown family, TypeError for an unknown field.

    Example:
        >>> coatnet_spec((1, 1, 2, 1), (32, 64, 128, 256), 32, layout=("C", "C", "CT", "T"))
    """
    if family not in FAMILY_FIELDS:
        raise ValueError(f"family must be one of {', '.join(FAMILIES)}; got {family!r}.")
    depths = tuple(depths)
    if isinstance(widths, int):
        widths = tuple(widths * 2**stage for stage in range(len(depths)))
    known = {field.name for field in dataclasses.fields(CoAtNetSpec)}
    if unknown := sorted(set(fields) - known):
        raise TypeError(_unknown_fields(unknown, known))
    chosen = {**FAMILY_FIELDS[family], **fields}
    chosen.setdefault("strides", (2,) * len(depths))
    # The default layout of another number of stages: the first half C, the rest T.
    chosen.setdefault("layout", "C" * (len(depths) - len(depths) // 2) + "T" * (len(depths) // 2))
    stem_convolutions = 2 if isinstance(stem, int) else len(tuple(stem))
    chosen.setdefault("stem_strides", (2,) + (1,) * (stem_convolutions - 1))
    if "size_multiple" in FAMILY_FIELDS[family] and "size_multiple" not in fields:
        # timm's pools drop what is left over, its convolutions keep it.
        chosen["size_multiple"] = math.prod((*chosen["stem_strides"], *chosen["strides"]))
    return CoAtNetSpec(
        name=name or "coatnet_custom", family=family, depths=depths, widths=tuple(widths), stem=stem, **chosen
    )


def _unknown_fields(unknown, known):
    nearest = difflib.get_close_matches(unknown[0], known, n=3, cutoff=0.5)
    choice = f"Nearest: {', '.join(nearest)}." if nearest else f"Fields: {', '.join(sorted(known))}."
    return f"coatnet_spec() has no field {', '.join(unknown)}. {choice}"


def narrow_spec(spec, depths, widths, stem):
    """A small twin: other depths, widths and stem, other fields kept; a hidden head layer follows the last width."""
    return dataclasses.replace(spec, depths=depths, widths=widths, stem=stem, hidden_head=bool(spec.hidden_head))


def spec_to_config(spec):
    """A dictionary that JSON can hold."""
    return dataclasses.asdict(spec)


def spec_from_config(config):
    """The spec of `spec_to_config`, whether or not JSON turned its tuples into lists."""
    return CoAtNetSpec(**config)
