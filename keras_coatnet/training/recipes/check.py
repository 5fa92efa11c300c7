"""Which values a recipe's fields can have, and what is said of others."""

import difflib
import math

from keras_coatnet.training.augment.auto_augment import POLICIES
from keras_coatnet.training.augment.erasing import MODES
from keras_coatnet.training.augment.mixing import SCOPES
from keras_coatnet.training.augment.rand_augment import OPERATION_SETS
from keras_coatnet.training.optimization.compilation import OUTPUTS
from keras_coatnet.training.optimization.optimizers import OPTIMIZERS
from keras_coatnet.training.optimization.schedule import COUNTED_FROM, KINDS

INTERPOLATIONS = ("bicubic", "bilinear")
DTYPES = ("float32", "mixed_bfloat16", "mixed_float16")

CHOICES = {
    "dtype": DTYPES,
    "optimizer": OPTIMIZERS,
    "schedule": KINDS,
    "decay_from": COUNTED_FROM,
    "rate_each": ("step", "epoch"),
    "loss": tuple(OUTPUTS),
    "interpolation": INTERPOLATIONS,
    "rand_augment_operations": tuple(OPERATION_SETS),
    "auto_augment": (None, *POLICIES),
    "erasing_mode": MODES,
    "mixup_each": SCOPES,
    "cutmix_each": SCOPES,
}
COUNTS_FROM_ONE = ("epochs", "batch_size", "image_size", "accumulation", "repeats")
SWITCHES = ("rematerialize",)
COUNTS = ("frozen_stages", "warmup_steps", "cooldown_epochs", "rand_augment_layers")
# Lowest and highest value; the bounds themselves are allowed.
RANGES = {
    **dict.fromkeys(("drop_path_rate", "dropout_rate", "label_smoothing"), (0, 0.999)),
    **dict.fromkeys(("momentum", "beta_2", "ema_decay"), (0, 1)),
    **dict.fromkeys(("flip", "erasing", "mix_probability", "cutmix_share", "rand_augment_probability"), (0, 1)),
    **dict.fromkeys(("weight_decay", "minimum_learning_rate", "warmup_epochs", "warmup_learning_rate"), (0, math.inf)),
    **dict.fromkeys(("rand_augment_magnitude", "rand_augment_limit", "mixup", "cutmix"), (0, math.inf)),
    **dict.fromkeys(("learning_rate", "clip_norm", "epsilon", "teacher_temperature"), (1e-12, math.inf)),
    **dict.fromkeys(("target_threshold", "teacher_share"), (0, 1)),
    "rand_augment_std": (0, math.inf),
    "layer_decay": (1e-3, 1),
    "evaluation_crop": (1e-3, 1),
}
MAY_BE_NONE = ("drop_path_rate", "clip_norm", "ema_decay", "target_threshold", "rand_augment_limit", "evaluation_crop")


def check_field(name, value):
    """Raises ValueError where a field cannot have a value."""
    if name in CHOICES:
        if value not in CHOICES[name]:
            nearest = difflib.get_close_matches(str(value), [each for each in CHOICES[name] if each], n=1)
            hint = f" Nearest: {nearest[0]!r}." if nearest else ""
            raise ValueError(f"{name} must be one of {', '.join(map(repr, CHOICES[name]))}; got {value!r}.{hint}")
    elif name in SWITCHES:
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be True or False; got {value!r}.")
    elif name in COUNTS_FROM_ONE or name in COUNTS:
        least = 1 if name in COUNTS_FROM_ONE else 0
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be a whole number from {least} up; got {value!r}.")
    elif name == "growing":
        if not (isinstance(value, (tuple, list)) and all(_are_counts(each) for each in value)):
            raise ValueError(f"growing must be (epochs, side) pairs of whole numbers from 1 up; got {value!r}.")
    elif name in ("crop_scale", "crop_ratio"):
        highest = 1 if name == "crop_scale" else math.inf
        if not (_are_numbers(value, 2) and 0 < value[0] <= value[1] <= highest):
            raise ValueError(f"{name} must be two numbers above 0, the least first, to {highest}; got {value!r}.")
    elif name in RANGES and not (value is None and name in MAY_BE_NONE):
        low, high = RANGES[name]
        if not (_are_numbers((value,), 1) and low <= value <= high):
            none = ", or None" if name in MAY_BE_NONE else ""
            raise ValueError(f"{name} must be a number from {low} to {high}{none}; got {value!r}.")


def _are_counts(pair):
    return _are_numbers(pair, 2) and all(isinstance(each, int) and each > 0 for each in pair)


def _are_numbers(values, count):
    return (
        isinstance(values, (tuple, list))
        and len(values) == count
        and all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in values)
        and not any(math.isnan(each) for each in values)
    )
