"""From a name to a model: find the row, build, load. What every family's own function does."""

import contextlib
import dataclasses
import functools
import inspect

import keras

from keras_coatnet.families.check import check_options, find_variant
from keras_coatnet.families.inputs import input_shape_of
from keras_coatnet.families.options import Options
from keras_coatnet.layers.initializers import without_initial_values
from keras_coatnet.weights.pretrained import fill, open_pretrained


def family_function(model_class, build_model, variants):
    """Decorator that makes a family's function out of its signature and docstring: find the row, build, load.

    Args:
        model_class: of the family.
        build_model: the family's function (spec, *, input_shape, input_tensor, options, name).
        variants: {name: spec} of the family.
    """

    def decorate(declared):
        @functools.wraps(declared)
        def build(*arguments, **keywords):
            given = all_arguments(declared, arguments, keywords)
            spec = find_spec(given.pop("spec_or_name"), model_class.spec_class, variants, declared.__name__)
            placed = {name: given.pop(name) for name in ("input_shape", "input_tensor", "pretrained", "name")}
            options = Options(**given | {"dtype": keras.dtype_policies.get(given["dtype"])})
            return make_model(model_class, build_model, spec, options, **placed)

        return build

    return decorate


def all_arguments(function, arguments, keywords):
    """{name: value} of a call, defaults included; a TypeError as Python's where it does not fit the signature."""
    try:
        given = inspect.signature(function).bind(*arguments, **keywords)
    except TypeError as error:
        raise TypeError(f"{function.__name__}() {error}") from None
    given.apply_defaults()
    return given.arguments


def make_model(model_class, build_model, spec, options, *, input_shape, input_tensor, pretrained, name):
    """Build a model and load what `pretrained` says.

    Args:
        model_class, build_model: see `family_function`.
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
    return find_variant(spec_or_name, variants, f"{family} variant")


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
