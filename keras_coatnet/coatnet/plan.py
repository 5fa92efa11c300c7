"""A spec resolved into one row a block: what the builder builds, `count` counts and the name tables name."""

import dataclasses
import itertools

from keras_coatnet.layers.depthwise import convolved_size
from keras_coatnet.layers.pooling import pooled_size

SMALLEST_SIDE = 32


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


def stem_widths(spec):
    """Widths of the stem's convolutions."""
    return (spec.stem,) * len(spec.stem_strides) if isinstance(spec.stem, int) else tuple(spec.stem)


def stem_kernel_sizes(spec):
    """Kernel sizes of the stem's convolutions."""
    sizes = spec.stem_kernel_sizes
    return (sizes,) * len(spec.stem_strides) if isinstance(sizes, int) else tuple(sizes)


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


def _plan_block(spec, stage, index, letter, input_width, width, share):
    kind = "transformer" if letter == "T" else spec.convolution_block
    expansion = of_stage(spec.expansion, stage)
    num_heads, head_dim = _heads(spec, stage, input_width, width) if kind == "transformer" else (0, 0)
    expanded_width = (
        _expanded_width(spec, expansion, input_width, width) if kind == "mbconv" else int(width * expansion)
    )
    is_first = index == 0
    return BlockPlan(
        name=f"stage{stage + 1}_block{index + 1}",
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
        projects_shortcut=input_width != width or (is_first and spec.project_first_shortcut),
        drop_path_share=share,
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
    """(num_heads, head_dim); zero heads are refused by the attention layer and by `check_heads`."""
    head_dim = of_stage(spec.head_dim, stage)
    explicit = of_stage(spec.num_heads, stage)
    heads = (
        explicit if explicit is not None else (input_width if spec.attention_width == "input" else width) // head_dim
    )
    if heads < 1:
        raise ValueError(
            f"Stage {stage + 1} of {spec.name} would have {heads} attention heads: its {spec.attention_width} width is "
            f"{input_width if spec.attention_width == 'input' else width} and head_dim is {head_dim}. "
            "At least one head is needed: lower head_dim or give num_heads."
        )
    return heads, head_dim


def _expanded_width(spec, expansion, input_width, width):
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


def stem_size(spec, sides):
    """(H, W) behind the stem; open sides stay None."""
    for kernel_size, stride in zip(stem_kernel_sizes(spec), spec.stem_strides, strict=True):
        sides = tuple(convolved_size(side, spec.padding, kernel_size, stride) for side in sides)
    return sides


def block_size(spec, block, sides):
    """(H, W) behind a block."""
    kind = spec.transformer_pool if block.kind == "transformer" else spec.convolution_pool
    return tuple(pooled_size(side, kind, block.strides) for side in sides)


def map_sizes(spec, sides):
    """{"stem": (H, W), "stage1_block1": (H, W), ...} for an input of `sides`."""
    sides = stem_size(spec, sides)
    sizes = {"stem": sides}
    for block in plan_blocks(spec):
        sizes[block.name] = sides = block_size(spec, block, sides)
    return sizes


def total_stride(spec):
    """Input pixels to one pixel of the last map."""
    stride = 1
    for step in (*spec.stem_strides, *spec.strides):
        stride *= step
    return stride


# Fields with a list of allowed words.
CHOICES = {
    "padding": ("symmetric", "same"),
    "convolution_block": ("mbconv", "convnext"),
    "convolution_norm": ("batch", "layer"),
    "transformer_norm": ("layer", "batch"),
    "stride_in": ("depthwise", "expand", "pool"),
    "expansion_base": ("input", "output"),
    "se_base": ("input", "output", "expanded"),
    "se_place": ("after_norm", "before_norm"),
    "attention_width": ("input", "output"),
    "relative_position": ("table", "mlp", None),
    "bias_place": ("before_softmax", "after_softmax"),
    "table_resize": ("bilinear", "geometric"),
    "head_norm": (None, "before_pool", "after_pool"),
    "drop_path_schedule": ("linear", "linear_to_rate", "constant"),
    "convolution_pool": ("max", "average", "max3x3"),
    "branch_pool": ("max", "average", "max3x3"),
    "transformer_pool": ("max", "average", "max3x3"),
}


def check_spec(spec):
    """Raise a ValueError that says which field is wrong, its value and what is allowed."""
    for field, allowed in CHOICES.items():
        if getattr(spec, field) not in allowed:
            raise ValueError(f"{field} of {spec.name} must be one of {allowed}; got {getattr(spec, field)!r}.")
    stages = len(spec.depths)
    if stages == 0:
        raise ValueError(f"{spec.name} needs at least one stage; got depths={spec.depths}.")
    for field in ("widths", "layout", "strides"):
        if len(getattr(spec, field)) != stages:
            raise ValueError(
                f"{field} of {spec.name} needs one entry a stage, {stages} as depths={spec.depths} has; "
                f"got {getattr(spec, field)!r}."
            )
    for field in ("head_dim", "num_heads", "expansion", "se_ratio"):
        value = getattr(spec, field)
        if isinstance(value, tuple) and len(value) != stages:
            raise ValueError(f"{field} of {spec.name} needs one value or one a stage ({stages}); got {value!r}.")
    if any(not letters or set(letters) - set("CT") for letters in spec.layout):
        raise ValueError(f"layout of {spec.name} is made of the letters C and T; got {spec.layout!r}.")
    _check_numbers(spec)
    if len(stem_widths(spec)) != len(spec.stem_strides) or len(stem_kernel_sizes(spec)) != len(spec.stem_strides):
        raise ValueError(
            f"stem, stem_strides and stem_kernel_sizes of {spec.name} need one entry a convolution; got stem={spec.stem!r}, "
            f"stem_strides={spec.stem_strides!r}, stem_kernel_sizes={spec.stem_kernel_sizes!r}."
        )


def _check_numbers(spec):
    positive = {
        "depths": spec.depths,
        "widths": spec.widths,
        "strides": spec.strides,
        "stem": stem_widths(spec),
        "stem_strides": spec.stem_strides,
        "head_dim": spec.head_dim,
        "expansion": spec.expansion,
    }
    if spec.num_heads is not None:
        positive["num_heads"] = tuple(heads for heads in _as_tuple(spec.num_heads) if heads is not None)
    for field, value in positive.items():
        if any(entry <= 0 for entry in _as_tuple(value)):
            raise ValueError(f"{field} of {spec.name} must be above 0; got {value!r}.")


def _as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


def check_input_sides(spec, sides):
    """Raise a ValueError for sides (None is open) that the architecture cannot take, naming the nearest it can."""
    if all(side is None or (side >= SMALLEST_SIDE and side % spec.size_multiple == 0) for side in sides):
        return
    shown = " x ".join("any" if side is None else str(side) for side in sides)
    if any(side is not None and side < SMALLEST_SIDE for side in sides):
        raise ValueError(f"{spec.name} takes images of at least {SMALLEST_SIDE} pixels a side; got {shown}.")
    multiple = spec.size_multiple
    wrong = next(side for side in sides if side is not None and side % multiple)
    below, above = wrong // multiple * multiple, -(-wrong // multiple) * multiple
    raise ValueError(
        f"{spec.name} takes images whose sides are multiples of {multiple}; got {shown}. Nearest to {wrong}: {below} or {above}."
    )
