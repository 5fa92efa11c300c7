"""Keras' optimizers as recipes want them: decay on kernels alone, clipping, averaging, accumulation, slower layers."""

import keras

from keras_coatnet.training.optimization import layerwise
from keras_coatnet.training.optimization.parameter_groups import decays, learning_rate_multipliers

OPTIMIZERS = ("adamw", "lamb", "sgd", "muon")
_PLAIN = {"adamw": "AdamW", "lamb": "Lamb", "sgd": "SGD", "muon": "Muon"}
_LAYERWISE = {name: f"Layerwise{title}" for name, title in _PLAIN.items()}


def make_model_optimizer(
    model,
    name,
    learning_rate,
    *,
    weight_decay=0.0,
    momentum=0.9,
    beta_2=0.999,
    epsilon=1e-8,
    clip_norm=None,
    ema_decay=None,
    accumulation=1,
    layer_decay=1.0,
):
    """An optimizer for the variables of one model.

    Weight decay acts on kernels only (`parameter_groups.decays`), times the learning rate, outside of the update. In
    LAMB it is outside of the trust ratio too, as Keras has it; the paper's and TensorFlow Addons' LAMB have it inside.

    Args:
        model: built `keras.Model`, frozen where it shall be.
        name: "adamw", "lamb", "sgd" or "muon". Muon takes over the kernels that are matrices, but for the last
            layer's, and AdamW the rest.
        learning_rate: number or `LearningRateSchedule`, which counts batches, not updates.
        weight_decay: 0 switches it off.
        momentum: of SGD and Muon; beta 1 of the others.
        beta_2, epsilon: of AdamW and LAMB.
        clip_norm: largest norm of all gradients together; None does not clip.
        ema_decay: share of the old average that each update keeps; None keeps no average.
        accumulation: batches whose mean gradient makes one update. Norm statistics are still those of each batch.
        layer_decay: factor of the learning rate for each layer further from the head; 1 is none.

    Returns: `keras.optimizers.Optimizer`, built; in a `LossScaleOptimizer` where layers compute in float16, where small
        gradients would be zero without it.
    Raises:
        ValueError: no such optimizer.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(map(repr, OPTIMIZERS))}; got {name!r}.")
    keywords = {
        "learning_rate": learning_rate,
        # AdamW insists on a number.
        "weight_decay": weight_decay or (0.0 if name == "adamw" else None),
        "global_clipnorm": clip_norm,
        "gradient_accumulation_steps": accumulation if accumulation > 1 else None,
        **_averaging(ema_decay, accumulation),
        **_own_keywords(model, name, weight_decay, momentum, beta_2, epsilon),
    }
    if layer_decay == 1:
        optimizer = getattr(keras.optimizers, _PLAIN[name])(**keywords)
    else:
        multipliers = learning_rate_multipliers(model, layer_decay)
        optimizer = getattr(layerwise, _LAYERWISE[name])(multipliers=multipliers, **keywords)
    variables = model.trainable_variables
    optimizer.exclude_from_weight_decay(var_list=[variable for variable in variables if not decays(variable)])
    # Keras does it for models whose own policy says so; here layers have a policy, and the model has the global one.
    if any(layer.compute_dtype == "float16" for layer in model._flatten_layers(include_self=False)):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    # Built here, so that a checkpoint can be loaded into it before the first batch.
    optimizer.build(variables)
    return optimizer


def _averaging(ema_decay, accumulation):
    if ema_decay is None:
        return {}
    # Keras averages after every batch, also after those that only accumulate.
    return {"use_ema": True, "ema_momentum": ema_decay ** (1 / accumulation)}


def _own_keywords(model, name, weight_decay, momentum, beta_2, epsilon):
    """What only this optimizer takes."""
    if name == "sgd":
        return {"momentum": momentum, "nesterov": True}
    if name == "muon":
        return {
            "momentum": momentum,
            "adam_weight_decay": weight_decay or None,
            "exclude_layers": [*_matrices_that_are_no_kernels(model), *_last_kernel(model)],
        }
    return {"beta_1": momentum, "beta_2": beta_2, "epsilon": epsilon}


def _matrices_that_are_no_kernels(model):
    """Patterns of tables of relative positions, class tokens and the like, which Muon would take for layers."""
    variables = [each for each in model.trainable_variables if len(each.shape) in (2, 3)]
    return sorted({f"/{each.name}$" for each in variables if not decays(each)})


def _last_kernel(model):
    """The pattern of the classifier's kernel, which Muon's authors leave to AdamW."""
    kernels = [variable.path for variable in model.trainable_variables if decays(variable)]
    return [f"^{kernels[-1]}$"] if kernels else []
