"""From a recipe to the arguments of `model.compile`."""

import keras

from keras_coatnet.layers.rematerialization import rematerialize
from keras_coatnet.prediction.spread import strategy_of
from keras_coatnet.training.optimization.optimizers import make_model_optimizer
from keras_coatnet.training.optimization.parameter_groups import freeze_stages
from keras_coatnet.training.optimization.schedule import WarmUpAndDecay

# What a model's outputs must be for each loss.
OUTPUTS = {"softmax": ("softmax", "linear"), "sigmoid": ("sigmoid", "linear"), "binary_on_softmax": ("softmax",)}


def compile_args(recipe, model, steps_per_epoch, epochs):
    """See `Recipe.compile_args`."""
    loss = make_loss(recipe.loss, model)
    if recipe.accumulation > 1 and strategy_of(model) is not None:
        raise ValueError(
            f"Keras cannot accumulate gradients on several TensorFlow devices; set accumulation=1 instead of "
            f"{recipe.accumulation}, or use KERAS_BACKEND=jax."
        )
    schedule = make_schedule(recipe, steps_per_epoch, epochs)
    freeze_stages(model, recipe.frozen_stages)
    if recipe.rematerialize:
        rematerialize(model)
    optimizer = make_model_optimizer(
        model,
        recipe.optimizer,
        schedule,
        weight_decay=recipe.weight_decay,
        momentum=recipe.momentum,
        beta_2=recipe.beta_2,
        epsilon=recipe.epsilon,
        clip_norm=recipe.clip_norm,
        ema_decay=recipe.ema_decay,
        accumulation=recipe.accumulation,
        layer_decay=recipe.layer_decay,
    )
    return {
        "optimizer": optimizer,
        "loss": loss,
        # The padding of a last batch weighs nothing in them.
        "weighted_metrics": make_metrics(model.output_shape[-1]),
        "jit_compile": jit_compile(),
    }


def make_schedule(recipe, steps_per_epoch, epochs):
    """The recipe's learning rate over a run.

    Args:
        recipe: `Recipe`.
        steps_per_epoch: batches, each the accumulated part of an update.
        epochs: of the run.
    """
    warmup = recipe.warmup_steps * recipe.accumulation or round(recipe.warmup_epochs * steps_per_epoch)
    return WarmUpAndDecay(
        recipe.learning_rate,
        epochs * steps_per_epoch,
        kind=recipe.schedule,
        minimum=recipe.minimum_learning_rate,
        warmup_steps=warmup,
        warmup_start=recipe.warmup_learning_rate,
        cooldown_steps=recipe.cooldown_epochs * steps_per_epoch,
        decay_from=recipe.decay_from,
        step_size=steps_per_epoch if recipe.rate_each == "epoch" else 1,
    )


def make_loss(name, model):
    """A loss for one-hot or mixed labels; smoothing has been done to them already.

    Args:
        name: "softmax", "sigmoid" or "binary_on_softmax".
        model: its last activation says whether the outputs are logits.

    Raises: ValueError where loss and outputs do not suit each other.
    """
    activation = output_activation(model)
    if activation not in OUTPUTS[name]:
        raise ValueError(
            f"The loss {name!r} needs outputs that are {' or '.join(OUTPUTS[name])}; those of {model.name!r} are "
            f"{activation}. Build the model with another classifier_activation, or set another loss."
        )
    kind = keras.losses.CategoricalCrossentropy if name == "softmax" else keras.losses.BinaryCrossentropy
    return kind(from_logits=activation == "linear", reduction="mean_with_sample_weight", name="loss")


def output_activation(model):
    """The name of what is done last to a model's outputs: "softmax", "sigmoid", "linear" where nothing is known."""
    last = model.outputs[0]._keras_history.operation
    if isinstance(last, keras.Model):
        return output_activation(last)
    if isinstance(last, keras.layers.Softmax):
        return "softmax"
    return getattr(getattr(last, "activation", None), "__name__", "linear")


def make_metrics(classes):
    """Top-1 and top-5, against the label with the largest share."""
    return [
        keras.metrics.CategoricalAccuracy(name="accuracy"),
        keras.metrics.TopKCategoricalAccuracy(min(5, classes), name="top5"),
    ]


def jit_compile():
    """XLA where it pays: never on TensorFlow's CPU, where it makes depthwise convolutions a hundred times slower."""
    if keras.backend.backend() != "tensorflow":
        return "auto"
    import tensorflow as tf

    return "auto" if tf.config.list_physical_devices("GPU") or tf.config.list_physical_devices("TPU") else False
