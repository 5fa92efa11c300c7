"""A spec resolved into one row a block: what the builder builds, `count` counts and the name tables name."""

import dataclasses
import itertools

from keras_coatnet.coatnet.check import check_spec
from keras_coatnet.coatnet.norm_folds import biased, block_norms, head_norm, stem_norms
from keras_coatnet.coatnet.spec import stem_widths
from keras_coatnet.weights.folding import FoldIntoGate


@dataclasses.dataclass(frozen=True)
class BlockPlan:
    """One block. `expanded_width` is the hidden width of MBConv, of the perceptron in the other kinds."""

    name: str
    kind: str  # "mbconv", "convnext" or "transformer"
    stage: int  # from 1
    number: int  # from 1, within its stage
    input_width: int
    width: int
    strides: int
    expansion: float
    expanded_width: int
    squeeze_width: int
    num_heads: int
    head_dim: int
    projects_shortcut: bool
    drop_path_share: float  # of the model's rate
    norms: tuple  # kinds at the block's places: see `normalization`
    biases: frozenset  # names of the linear maps that have one
    squeeze_affine: bool = False


def plan_blocks(spec):
    """All blocks of a spec in order.

    Returns: tuple of `BlockPlan`.
    Raises: ValueError where the spec says something impossible.
    """
    check_spec(spec)
    total = sum(spec.depths)
    counter = itertools.count()
    blocks = []
    input_width = stem_widths(spec)[-1]
    for stage, (depth, width, letters) in enumerate(zip(spec.depths, spec.widths, spec.layout, strict=True)):
        for index in range(depth):
            letter = letters[min(index, len(letters) - 1)]
            blocks.append(
                _plan_block(spec, stage, index, letter, input_width, width, _share(spec, next(counter), total))
            )
            input_width = width
    return tuple(blocks)


def plan_stem(spec):
    """(kinds of the norms between the convolutions, which convolutions have a bias) of the stem."""
    steps = stem_norms(spec)
    taking = biased(steps) if spec.folded else ()
    norms = tuple(step.left if spec.folded else step.kind for step in steps)
    convolutions = range(1, len(stem_widths(spec)) + 1)
    return norms, tuple(spec.activation_first or f"stem/convolution{number}" in taking for number in convolutions)


def plan_head_norm(spec, include_top):
    """Kind of the head's norm; None where there is none."""
    step = head_norm(spec, include_top)
    if step is None:
        return None
    return step.left if spec.folded else step.kind


def _plan_block(spec, stage, index, letter, input_width, width, share):
    kind = "transformer" if letter == "T" else spec.convolution_block
    expansion = of_stage(spec.expansion, stage)
    num_heads, head_dim = _heads(spec, stage, input_width, width) if kind == "transformer" else (0, 0)
    expanded_width = _expanded_width(spec, kind, expansion, input_width, width)
    is_first = index == 0
    name = f"stage{stage + 1}_block{index + 1}"
    if expanded_width < 1:
        raise ValueError(f"expansion of {spec.name} must leave {name} a hidden channel; got {expansion!r} of {width}.")
    if kind == "convnext":
        _check_convnext(spec, name, input_width, width)
    projects_shortcut = input_width != width or (is_first and spec.project_first_shortcut)
    block = BlockPlan(
        name=name,
        kind=kind,
        stage=stage + 1,
        number=index + 1,
        input_width=input_width,
        width=width,
        strides=spec.strides[stage] if is_first else 1,
        expansion=expansion,
        expanded_width=expanded_width,
        squeeze_width=_squeeze_width(spec, stage, index, input_width, width, expanded_width) if kind == "mbconv" else 0,
        num_heads=num_heads,
        head_dim=head_dim,
        projects_shortcut=projects_shortcut,
        drop_path_share=share,
        norms=_norms(spec, kind),
        biases=_biases(spec, kind, projects_shortcut),
    )
    return _folded(spec, block) if spec.folded else block


def _norms(spec, kind):
    if kind == "transformer":
        return (spec.transformer_norm,) * 2
    return (spec.convolution_norm,) * (3 if kind == "mbconv" else 1)


def _biases(spec, kind, projects_shortcut):
    """Names of the linear maps with a bias, as trained."""
    if kind == "transformer":
        has_bias = {
            "attention/qkv": spec.qkv_bias,
            "attention/projection": spec.attention_output_bias,
            "mlp_expansion": spec.mlp_bias,
            "mlp_projection": spec.mlp_bias,
            "shortcut": spec.transformer_shortcut_bias and projects_shortcut,
        }
    elif kind == "convnext":
        has_bias = {
            "depthwise": True,
            "mlp_expansion": True,
            "mlp_projection": True,
            "shortcut": spec.convolution_shortcut_bias and projects_shortcut,
        }
    else:
        has_bias = {
            "expansion": spec.activation_first,
            "depthwise": spec.activation_first,
            "projection": spec.convolution_projection_bias,
            "shortcut": spec.convolution_shortcut_bias and projects_shortcut,
        }
    return frozenset(name for name, is_there in has_bias.items() if is_there)


def _folded(spec, block):
    """The block with what is left of its norms, and with the biases that take the rest."""
    steps = block_norms(spec, block)
    prefix = f"{block.name}/"
    return dataclasses.replace(
        block,
        norms=tuple(step.left for step in steps),
        biases=block.biases | {path.removeprefix(prefix) for path in biased(steps)},
        squeeze_affine=any(isinstance(step, FoldIntoGate) for step in steps),
    )


def _check_convnext(spec, name, input_width, width):
    """Its depthwise convolution makes each channel into as many."""
    if width % input_width == 0:
        return
    factor = width // input_width
    nearest = " or ".join(str(input_width * near) for near in (factor, factor + 1) if near)
    raise ValueError(
        f"widths of {spec.name} must be multiples of the width before where ConvNeXt blocks change it; got "
        f"{input_width} to {width} at {name}. Nearest: {nearest}."
    )


def of_stage(value, stage):
    """The entry of a field that may be one value or one a stage."""
    return value[stage] if isinstance(value, tuple) else value


def _share(spec, index, total):
    """Block `index`'s part of the model's stochastic depth rate."""
    if spec.drop_path_schedule == "constant":
        return 1.0
    if spec.drop_path_schedule == "linear_to_rate":
        return index / max(total - 1, 1)
    return index / total


def _heads(spec, stage, input_width, width):
    """(num_heads, head_dim) as given, or as many whole heads as the attention's width holds."""
    head_dim = of_stage(spec.head_dim, stage)
    explicit = of_stage(spec.num_heads, stage)
    if explicit is not None:
        return explicit, head_dim
    attention_width = input_width if spec.attention_width == "input" else width
    if attention_width < head_dim:
        raise ValueError(
            f"stage {stage + 1} of {spec.name} must have at least one attention head; got 0: its "
            f"{spec.attention_width} width is {attention_width} and head_dim is {head_dim}. Lower head_dim or give "
            "num_heads."
        )
    return attention_width // head_dim, head_dim


def _expanded_width(spec, kind, expansion, input_width, width):
    if kind != "mbconv":
        return int(width * expansion)
    base = input_width if spec.expansion_base == "input" else width
    return rounded(base * expansion, spec.expansion_divisor)


def _squeeze_width(spec, stage, index, input_width, width, expanded_width):
    ratio = of_stage(spec.se_ratio, stage)
    if isinstance(ratio, tuple):
        ratio = ratio[min(index, len(ratio) - 1)]
    if not ratio:
        return 0
    base = {"input": input_width, "output": width, "expanded": expanded_width}[spec.se_base]
    return max(rounded(base * ratio, spec.se_divisor), 1)


def rounded(value, divisor):
    """Nearest multiple of `divisor`, at least one, never more than 10% below `value`; a divisor of 1 cuts off."""
    if divisor == 1:
        return int(value)
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * value else nearest
