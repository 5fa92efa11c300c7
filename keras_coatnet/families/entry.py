"""From a name to a model: find the row, build, load. What every family's own function does."""

import contextlib
import dataclasses
import difflib
import functools
import inspect

import keras

from keras_coatnet.families.check import check_options
from keras_coatnet.families.inputs import input_shape_of
from keras_coatnet.families.options import Options
from keras_coatnet.layers.initializers import without_initial_values
from keras_coatnet.weights.pretrained import fill, open_pretrained


def make_model(model_class, build_model, spec, options, *, input_shape, input_tensor, pretrained, name):
    """Build a model and load what `pretrained` says.

    Args:
        model_class: of the family.
        build_model: the family's function (spec, *, input_shape, input_tensor, options, name).
        spec, options, input_shape, input_tensor, pretrained, name: as users give them, see `CoAtNet`.
    """
    build = functools.partial(build_model, spec, input_tensor=input_tensor, name=name)
    if pretrained is None:
        return build(input_shape=input_shape, options=options)
    sides = input_shape_of(spec, input_shape, input_tensor, model_class.check_input_sides)[:2]
    check_options(spec, options, model_class.poolings)
    convert = functools.partial(convertible, build_model, spec)
    checkpoint = open_pretrained(pretrained, spec, model_class.name_tables, model_class.classifier, sides, convert)
    num_classes = options.num_classes
    if num_classes is None:
        options = dataclasses.replace(options, num_classes=checkpoint.num_classes)
    # What the checkpoint fills needs no values of its own; a classifier for other classes does.
    fills_all = not options.include_top or options.num_classes == checkpoint.num_classes
    with without_initial_values() if fills_all else contextlib.nullcontext():
        model = build(input_shape=input_shape, options=options)
    fill(model, checkpoint, fresh_classifier=not fills_all and num_classes is not None)
    return model


def convertible(build_model, spec, input_shape, num_classes):
    """The model that a downloaded checkpoint of a spec is converted through: all of it, in float32."""
    if keras.config.image_data_format() == "channels_first":
        input_shape = (input_shape[2], *input_shape[:2])
    options = Options(num_classes=num_classes, dtype=keras.dtype_policies.get("float32"))
    return build_model(spec, input_shape=input_shape, options=options)


def find_spec(spec_or_name, spec_class, variants, family):
    """The row of a variant, or the spec itself.

    Args:
        spec_or_name: as the user gave it.
        spec_class, variants: of the family. family: its name, for messages.

    Raises: ValueError for an unknown name, with the nearest known ones; TypeError for anything else.
    """
    if isinstance(spec_or_name, spec_class):
        return spec_or_name
    if not isinstance(spec_or_name, str):
        raise TypeError(f"A variant is a name or a {spec_class.__name__}; got {type(spec_or_name).__name__}.")
    if spec_or_name not in variants:
        nearest = difflib.get_close_matches(spec_or_name.lower(), variants, n=3, cutoff=0.5)
        hint = f"Nearest: {', '.join(nearest)}." if nearest else "list_variants() names all."
        raise ValueError(f"Unknown {family} variant {spec_or_name!r}. {hint}")
    return variants[spec_or_name]


def entry_point(function, name, variant, whose):
    """A family's function with its first argument given.

    Args:
        function: such as `CoAtNet`.
        name: of the entry point.
        variant: the argument.
        whose: owner of the variant, for the docstring.
    """

    def build(**keywords):
        return function(variant, **keywords)

    build.__name__ = build.__qualname__ = name
    build.__module__ = function.__module__
    build.__doc__ = f"""Build {variant}, {whose} {name}.

    Args: the keywords of `{function.__name__}`.
    """
    signature = inspect.signature(function)
    build.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])
    return build
