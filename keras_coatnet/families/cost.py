"""What parts of a model cost: parameters and multiply-adds, by arithmetic."""

import numbers
from typing import NamedTuple


class Count(NamedTuple):
    """Trainable weights; these and the batch norms' statistics; multiply-adds for one image."""

    trainable: int
    parameters: int
    macs: int


class Cost(NamedTuple):
    """What one part of a model costs: trainable weights, moving statistics, multiply-adds."""

    trainable: int = 0
    statistics: int = 0
    macs: int = 0


def total(costs):
    """The `Count` of all parts."""
    cost = add(*costs)
    return Count(cost.trainable, cost.trainable + cost.statistics, cost.macs)


def sides_and_channels(spec, input_shape, check_sides):
    """(H, W, C) as numbers, checked.

    Args:
        spec: to count.
        input_shape: (H, W, C), or (H, W) for 3 channels; None is the spec's own size.
        check_sides: function (spec, sides) that raises a ValueError for sides that cannot be.
    """
    shape = (spec.input_size, spec.input_size) if input_shape is None else tuple(input_shape)
    if len(shape) not in (2, 3):
        raise ValueError(f"input_shape has the entries (H, W, C) or (H, W); got {shape}.")
    if not all(isinstance(entry, numbers.Integral) and entry > 0 for entry in shape):
        raise ValueError(f"To count, every entry of input_shape has to be a whole number above 0; got {shape}.")
    check_sides(spec, shape[:2])
    return (*shape, 3)[:3]


def add(*costs):
    """The sum of some costs."""
    return Cost(*(sum(column) for column in zip(*costs, strict=True)))


def dense(inputs, outputs, bias, positions=1):
    """A linear map applied at `positions` places: Dense layers and 1x1 convolutions."""
    return Cost(trainable=inputs * outputs + bias * outputs, macs=positions * inputs * outputs)


def norm(kind, channels):
    """Scale and offset, where the kind has them; batch norms also keep a mean and a variance."""
    if kind in (None, "standardize"):
        return Cost()
    return Cost(trainable=2 * channels, statistics=2 * channels if kind == "batch" else 0)


def area(sides):
    return sides[0] * sides[1]
