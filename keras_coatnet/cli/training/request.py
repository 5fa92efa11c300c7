"""From the options of `keras-coatnet train` to a recipe, a spec and what else decides a run."""

import dataclasses
import difflib

from keras_coatnet import registry
from keras_coatnet.training.recipes import get_recipe
from keras_coatnet.training.recipes.recipe import parse_value


def chosen_recipe(options):
    """The recipe by name, as its source has it for this model, with what the options change.

    Raises: ValueError for an unknown name, field or value.
    """
    recipe = get_recipe(options.recipe).for_model(options.model)
    if options.epochs is not None:
        recipe = with_epochs(recipe, options.epochs)
    changes = {
        "batch_size": options.batch_size,
        "image_size": options.image_size,
        "learning_rate": options.learning_rate,
    }
    recipe = recipe.replace(**{name: value for name, value in changes.items() if value is not None})
    return recipe.override(*options.set)


def with_epochs(recipe, epochs):
    """The recipe over another number of epochs; in a shorter run, warm-up and cool-down keep their share of it."""
    share = min(1.0, epochs / recipe.epochs)
    return recipe.replace(
        epochs=epochs,
        warmup_epochs=recipe.warmup_epochs * share,
        warmup_steps=round(recipe.warmup_steps * share),
        cooldown_epochs=round(recipe.cooldown_epochs * share),
    )


def chosen_spec(name, assignments):
    """The spec of a variant with other fields.

    Args:
        name: of the variant.
        assignments: such as "head_dim=16".

    Raises: ValueError for an unknown name or field, with the nearest ones; values are checked when a model is built.
    """
    spec, fields = registry.get_spec(name), {}
    known = [each.name for each in dataclasses.fields(spec) if each.name not in ("name", "family")]
    for text in assignments:
        field, equals, value = text.partition("=")
        field = field.strip()
        if not equals:
            raise ValueError(f"--model-set must be FIELD=VALUE; got {text!r}")
        if field not in known:
            nearest = difflib.get_close_matches(field, known, n=3, cutoff=0.4)
            hint = f" Nearest: {', '.join(nearest)}." if nearest else f" Fields: {', '.join(known)}."
            raise ValueError(f"{name} has no field {field!r}.{hint}")
        fields[field] = parse_value(value.strip())
    return dataclasses.replace(spec, **fields)


def output_of(recipe):
    """The activation a recipe's loss wants at the end of a model."""
    return "sigmoid" if recipe.loss == "sigmoid" else "softmax"
