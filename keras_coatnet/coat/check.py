"""What a spec may say. Every field is looked at before anything is built from it."""

import numbers

from keras_coatnet.families.check import (
    check_activation,
    check_positive_numbers,
    check_rate,
    check_whole_numbers,
    check_word,
)

POOLINGS = (None, "avg", "max", "token")
WHOLE_NUMBERS = (
    "embed_dims",
    "serial_depths",
    "num_heads",
    "patch_sizes",
    "windows",
    "position_kernel_size",
    "input_size",
)
POSITIVE_NUMBERS = ("mlp_ratios", "norm_epsilon", "patch_norm_epsilon")
ONE_A_SCALE = ("embed_dims", "serial_depths", "mlp_ratios", "patch_sizes")
SCALES = 4


def check_spec(spec):
    """Raise a ValueError that says which field of a spec is wrong, its value and what is allowed."""
    for field in ONE_A_SCALE:
        value = getattr(spec, field)
        if not isinstance(value, tuple) or len(value) != SCALES:
            raise ValueError(f"{field} of {spec.name} must have one entry a scale, {SCALES}; got {value!r}.")
    check_whole_numbers(spec, WHOLE_NUMBERS)
    check_positive_numbers(spec, POSITIVE_NUMBERS)
    check_rate(f"drop_path_rate of {spec.name}", spec.drop_path_rate)
    check_word(f"folded of {spec.name}", spec.folded, (False, True))
    check_word(f"qkv_bias of {spec.name}", spec.qkv_bias, (False, True))
    check_activation(f"activation of {spec.name}", spec.activation)
    check_heads(spec)
    check_parallel(spec)


def check_heads(spec):
    """Whole heads at every scale, each with a window that has a centre."""
    for width in spec.embed_dims:
        if width % spec.num_heads:
            near = width // spec.num_heads * spec.num_heads
            nearest = " or ".join(str(each) for each in (near, near + spec.num_heads) if each)
            raise ValueError(
                f"embed_dims of {spec.name} must be multiples of num_heads={spec.num_heads}; got {width}. "
                f"Nearest: {nearest}."
            )
    if any(not isinstance(window, tuple) or len(window) != 2 for window in spec.windows):
        raise ValueError(f"windows of {spec.name} must be pairs (side, heads); got {spec.windows!r}.")
    if sum(heads for _, heads in spec.windows) != spec.num_heads:
        raise ValueError(
            f"windows of {spec.name} must have num_heads={spec.num_heads} heads together; got {spec.windows!r}."
        )
    if len({side for side, _ in spec.windows}) != len(spec.windows):
        raise ValueError(f"windows of {spec.name} must have sides of their own; got {spec.windows!r}.")
    for side in (spec.position_kernel_size, *(side for side, _ in spec.windows)):
        if side % 2 == 0:
            raise ValueError(f"Windows of {spec.name} must have odd sides; got {side}. Nearest: {side - 1}.")


def check_parallel(spec):
    """Scales that are added up are alike."""
    depth = spec.parallel_depth
    if not isinstance(depth, numbers.Integral) or depth < 0:
        raise ValueError(f"parallel_depth of {spec.name} must be a whole number from 0 up; got {depth!r}.")
    for field in ("embed_dims", "mlp_ratios"):
        if depth and len(set(getattr(spec, field)[1:])) > 1:
            raise ValueError(
                f"{field} of {spec.name} must be the same at scales 2, 3 and 4, which parallel blocks add up; "
                f"got {getattr(spec, field)}."
            )
