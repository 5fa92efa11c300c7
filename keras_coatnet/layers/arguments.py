"""Checks of layers' arguments: what was wrong, the value got, what is allowed."""

import difflib
from numbers import Integral, Real


def check_choice(argument, value, choices):
    """Raise a ValueError unless `value` is one of `choices`."""
    if value in choices:
        return
    nearest = difflib.get_close_matches(str(value), [str(choice) for choice in choices], n=1)
    hint = f" Nearest: {nearest[0]!r}." if nearest else ""
    raise ValueError(f"{argument} must be one of {', '.join(map(repr, choices))}; got {value!r}.{hint}")


def check_counts(**counts):
    """Raise a ValueError unless every argument is a whole number of at least 1."""
    for argument, value in counts.items():
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{argument} must be a whole number of at least 1; got {value!r}.")


def check_rates(**rates):
    """Raise a ValueError unless every argument is a probability below 1."""
    for argument, value in rates.items():
        if not isinstance(value, Real) or not 0.0 <= value < 1.0:
            raise ValueError(f"{argument} must be at least 0 and below 1; got {value!r}.")
