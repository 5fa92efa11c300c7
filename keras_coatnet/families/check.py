"""Checks of what specs and users say: which field is wrong, its value, what is allowed."""

import difflib
import numbers

import keras

from keras_coatnet.layers.activation import get_activation

OPTION_RATES = ("drop_path_rate", "dropout_rate", "attention_dropout_rate", "mlp_dropout_rate")


def check_options(spec, options, poolings):
    """Raise a ValueError for an option that cannot be, with its value and what is allowed."""
    check_word("pooling", options.pooling, poolings)
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


def find_variant(name, variants, what="variant"):
    """The row of that name; a ValueError that names the nearest ones where there is none.

    Args:
        name: to find.
        variants: {name: spec}.
        what: they are called in the message.
    """
    if name not in variants:
        raise ValueError(f"Unknown {what} {name!r}.{nearest_words(name, variants) or ' list_variants() names all.'}")
    return variants[name]


def nearest_words(value, words):
    """A sentence that names the words nearest to `value`, or nothing."""
    nearest = difflib.get_close_matches(str(value).lower(), words, n=3, cutoff=0.5)
    return f" Nearest: {', '.join(nearest)}." if nearest else ""


def check_whole_numbers(spec, fields):
    """Refuse entries of these fields that are not whole and above 0."""
    for field in fields:
        if not all(isinstance(entry, numbers.Integral) and entry > 0 for entry in flat(getattr(spec, field))):
            raise ValueError(f"{field} of {spec.name} must be whole and above 0; got {getattr(spec, field)!r}.")


def check_positive_numbers(spec, fields):
    """Refuse entries of these fields that are not above 0."""
    for field in fields:
        if not all(isinstance(entry, numbers.Real) and entry > 0 for entry in flat(getattr(spec, field))):
            raise ValueError(f"{field} of {spec.name} must be above 0; got {getattr(spec, field)!r}.")


def check_rate(field, rate):
    """At least 0 and below 1: with 1 nothing would be left to scale up."""
    if not isinstance(rate, numbers.Real) or not 0.0 <= rate < 1.0:
        raise ValueError(f"{field} must be at least 0 and below 1; got {rate!r}.")


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


def check_sides_given(spec, sides, smallest):
    """Raise a ValueError for sides (None is open) that are no whole numbers or too small.

    Returns: (the sides that are given, all of them as text).
    """
    shown = " x ".join("any" if side is None else str(side) for side in sides)
    given = [side for side in sides if side is not None]
    if not all(isinstance(side, numbers.Integral) for side in given):
        raise ValueError(f"Sides of images are whole numbers, or None for any; got {shown}.")
    if any(side < smallest for side in given):
        raise ValueError(f"{spec.name} takes images of at least {smallest} pixels a side; got {shown}.")
    return given, shown


def flat(value):
    """All entries of a number or of nested tuples; None stands for a choice left open and is passed over."""
    if isinstance(value, tuple):
        return [entry for part in value for entry in flat(part)]
    return [] if value is None else [value]


def frozen(value):
    """Lists as tuples, at any depth: a spec can be a key, and what JSON made of it is equal to it."""
    return tuple(frozen(entry) for entry in value) if isinstance(value, list | tuple) else value
