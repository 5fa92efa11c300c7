"""What a spec may say. Every field is looked at before anything is built from it."""

import difflib
import numbers

import keras

from keras_coatnet.coatnet.initialization import RULES
from keras_coatnet.coatnet.spec import FAMILIES, stem_kernel_sizes, stem_widths
from keras_coatnet.layers.activation import get_activation

POOLS = ("max", "average", "max3x3")
WORDS = {
    "family": FAMILIES,
    "padding": ("symmetric", "same"),
    "convolution_block": ("mbconv", "convnext"),
    "convolution_norm": ("batch", "layer"),
    "transformer_norm": ("layer", "batch"),
    "stride_in": ("depthwise", "expand", "pool"),
    "expansion_base": ("input", "output"),
    "se_base": ("input", "output", "expanded"),
    "se_place": ("after_norm", "before_norm"),
    "attention_width": ("input", "output"),
    "relative_position": ("table", "mlp", "constant", None),
    "folded": (False, True),
    "bias_place": ("before_softmax", "after_softmax"),
    "table_resize": ("bilinear", "geometric"),
    "head_norm": (None, "before_pool", "after_pool"),
    "drop_path_schedule": ("linear", "linear_to_rate", "constant"),
    "initialization": tuple(RULES),
    "convolution_pool": POOLS,
    "branch_pool": POOLS,
    "transformer_pool": POOLS,
}
ONE_A_STAGE = ("widths", "layout", "strides")
ONE_OR_ONE_A_STAGE = ("head_dim", "num_heads", "expansion", "se_ratio")
WHOLE_NUMBERS = (
    "depths",
    "widths",
    "stem",
    "strides",
    "stem_strides",
    "stem_kernel_sizes",
    "kernel_size",
    "head_dim",
    "num_heads",
    "position_hidden_width",
    "expansion_divisor",
    "se_divisor",
    "size_multiple",
    "input_size",
)
POSITIVE_NUMBERS = ("expansion", "convolution_norm_epsilon", "transformer_norm_epsilon")
RATES = ("drop_path_rate", "position_dropout_rate", "norm_momentum")
POOLINGS = (None, "avg", "max")
OPTION_RATES = ("drop_path_rate", "dropout_rate", "attention_dropout_rate", "mlp_dropout_rate")
ACTIVATIONS = ("activation", "se_activation", "mlp_activation", "hidden_head_activation")


def check_spec(spec):
    """Raise a ValueError that says which field of a spec is wrong, its value and what is allowed."""
    for field, allowed in WORDS.items():
        check_word(f"{field} of {spec.name}", getattr(spec, field), allowed)
    check_stages(spec)
    check_layout(spec)
    check_numbers(spec)
    check_stem(spec)
    for field in ACTIVATIONS:
        check_activation(f"{field} of {spec.name}", getattr(spec, field))


def check_options(spec, options):
    """Raise a ValueError for an option that cannot be, with its value and what is allowed."""
    check_word("pooling", options.pooling, POOLINGS)
    for field in OPTION_RATES:
        # An open rate is the spec's, which is checked as the others are.
        if getattr(options, field) is not None:
            check_rate(field, getattr(options, field))
    check_activation("classifier_activation", options.classifier_activation)
    classes = spec.num_classes if options.num_classes is None else options.num_classes
    if not isinstance(classes, numbers.Integral) or classes < 0:
        raise ValueError(f"num_classes must be a whole number from 1 up; got {classes!r}.")
    if classes == 0 and options.include_top:
        raise ValueError("num_classes must be at least 1 with a top; got 0. For features, pass include_top=False.")


def check_word(field, value, allowed):
    """Refuse anything but one of `allowed`, naming the nearest."""
    if value in allowed:
        return
    words = [word for word in allowed if isinstance(word, str)]
    raise ValueError(
        f"{field} must be one of {', '.join(map(repr, allowed))}; got {value!r}.{nearest_words(value, words)}"
    )


def nearest_words(value, words):
    """A sentence that names the words nearest to `value`, or nothing."""
    nearest = difflib.get_close_matches(str(value).lower(), words, n=3, cutoff=0.5)
    return f" Nearest: {', '.join(nearest)}." if nearest else ""


def check_stages(spec):
    """As many entries as stages."""
    stages = len(spec.depths) if isinstance(spec.depths, tuple) else 0
    if stages == 0:
        raise ValueError(f"depths of {spec.name} must have a number of blocks for each stage; got {spec.depths!r}.")
    for field in ONE_A_STAGE:
        value = getattr(spec, field)
        if not isinstance(value, tuple | str) or len(value) != stages:
            raise ValueError(
                f"{field} of {spec.name} must have one entry a stage, {stages} as depths={spec.depths}; got {value!r}."
            )
    for field in ONE_OR_ONE_A_STAGE:
        value = getattr(spec, field)
        if isinstance(value, tuple) and len(value) != stages:
            raise ValueError(f"{field} of {spec.name} must be one value or one a stage ({stages}); got {value!r}.")


def check_layout(spec):
    """Letters C and T, at least one a stage."""
    if not all(isinstance(letters, str) and letters and set(letters) <= {"C", "T"} for letters in spec.layout):
        raise ValueError(f"layout of {spec.name} is made of the letters C and T; got {spec.layout!r}.")


def check_numbers(spec):
    """Counts, widths, ratios and rates within their ranges."""
    for field in WHOLE_NUMBERS:
        if not all(isinstance(entry, numbers.Integral) and entry > 0 for entry in flat(getattr(spec, field))):
            raise ValueError(f"{field} of {spec.name} must be whole and above 0; got {getattr(spec, field)!r}.")
    for field in POSITIVE_NUMBERS:
        if not all(isinstance(entry, numbers.Real) and entry > 0 for entry in flat(getattr(spec, field))):
            raise ValueError(f"{field} of {spec.name} must be above 0; got {getattr(spec, field)!r}.")
    for field in RATES:
        check_rate(f"{field} of {spec.name}", getattr(spec, field))
    check_squeeze(spec)
    if not isinstance(spec.hidden_head, numbers.Integral) or spec.hidden_head < 0:
        raise ValueError(f"hidden_head of {spec.name} must be True, False or a width; got {spec.hidden_head!r}.")


def check_rate(field, rate):
    """At least 0 and below 1: with 1 nothing would be left to scale up."""
    if not isinstance(rate, numbers.Real) or not 0.0 <= rate < 1.0:
        raise ValueError(f"{field} must be at least 0 and below 1; got {rate!r}.")


def check_squeeze(spec):
    """`se_ratio`: numbers from 0 up, nested at most as stages of blocks."""
    ratios = spec.se_ratio
    entries = flat(ratios)
    empty = isinstance(ratios, tuple) and any(entry == () for entry in ratios)
    if empty or not all(isinstance(entry, numbers.Real) and entry >= 0 for entry in entries):
        raise ValueError(
            f"se_ratio of {spec.name} must be a number from 0 up, one a stage, or a tuple of them, one a block, for a "
            f"stage; got {ratios!r}."
        )


def check_stem(spec):
    """One entry a convolution."""
    if len(stem_widths(spec)) != len(spec.stem_strides) or len(stem_kernel_sizes(spec)) != len(spec.stem_strides):
        raise ValueError(
            f"stem, stem_strides and stem_kernel_sizes of {spec.name} must have one entry a convolution; "
            f"got stem={spec.stem!r}, stem_strides={spec.stem_strides!r}, stem_kernel_sizes={spec.stem_kernel_sizes!r}."
        )
    if spec.padding == "symmetric" and spec.kernel_size % 2 == 0:
        raise ValueError(
            f'kernel_size of {spec.name} must be odd where padding is "symmetric"; got {spec.kernel_size}. '
            f"Nearest: {spec.kernel_size - 1} or {spec.kernel_size + 1}."
        )


def check_activation(field, activation):
    """Refuse a name that Keras does not know."""
    try:
        get_activation(activation)
    except ValueError as error:
        known = [name for name in dir(keras.activations) if name[0] != "_" and name not in ("get", "serialize")]
        raise ValueError(
            f"{field} must be the name of a Keras activation, a function or None; got {activation!r}."
            f"{nearest_words(activation, known)}"
        ) from error


def flat(value):
    """All entries of a number or of nested tuples; None stands for a choice left open and is passed over."""
    if isinstance(value, tuple):
        return [entry for part in value for entry in flat(part)]
    return [] if value is None else [value]
