"""A model run with its layers watched, and gradients at one of its maps: all that explain knows of backends."""

import keras
import numpy as np
from keras import ops

from keras_coatnet.explain.taps import tapped, without_activation

# Gradients at large maps are small: float16 would lose them.
GRADIENT_SCALE = 1024.0


def watched_run(model, layers, see):
    """A function of images that runs a model and says what was seen of its layers; compiled where the backend is JAX.

    Args:
        model: to run.
        layers: to watch.
        see: function (layer, *arguments, **keywords) of a layer's call -> tensors in any structure.

    Returns: function (images) -> {path of the layer: what `see` said of its last call, as NumPy arrays}, in the order
        of the calls.
    """

    def run(call, images):
        seen = {}

        def note(layer, result, *arguments, **keywords):
            seen.pop(layer.path, None)
            seen[layer.path] = see(layer, *arguments, **keywords)
            return result

        with tapped(layers, note):
            call(images)
        # As a list, since JAX sorts dictionaries.
        paths[:] = seen
        return list(seen.values())

    paths = []
    run = _runner(model, run)
    return lambda images: dict(zip(paths, as_numpy(run(images)), strict=True)) if layers else {}


def _runner(model, run):
    """`run(call, images)` as a function of images alone: `call` is the model's, without gradients."""
    backend = keras.backend.backend()
    if backend == "jax":
        return _compiled_by_jax(model, run)

    def call(images):
        return model(images, training=False)

    if backend == "torch":
        import torch

        run = torch.no_grad()(run)
    return lambda images: run(call, ops.convert_to_tensor(images))


def _compiled_by_jax(model, run):
    """Compiled, since JAX compiles every operation that it is shown alone; weights are arguments, not constants."""
    import jax

    @jax.jit
    def compiled(trainable, state, *inputs):
        return run(lambda images: model.stateless_call(trainable, state, images, training=False)[0], *inputs)

    def on_current_weights(*inputs):
        trainable = [variable.value for variable in model.trainable_variables]
        state = [variable.value for variable in model.non_trainable_variables]
        return compiled(trainable, state, *inputs)

    return on_current_weights


def gradient_run(model, layer):
    """A function that runs a classifier and says how its scores change with one of its maps.

    Args:
        model: classifier; its scores are what its last activation is applied to.
        layer: that gives the map, at its last call.

    Returns: function (images (N, ...), targets (N,)) -> (scores (N, classes), map (N, H, W, C), gradient of the
        target's score with respect to the map, targets (N,)) as NumPy arrays; a target of -1 is the best class.
    """
    make = {"tensorflow": _in_tensorflow, "jax": _in_jax, "torch": _in_torch}[keras.backend.backend()]
    run = make(model, layer)

    def in_numpy(images, targets):
        scores, x, gradient, targets = as_numpy(list(run(images, np.asarray(targets, "int32"))))
        return scores, x, gradient / GRADIENT_SCALE, targets

    return in_numpy


def _objective(scores, targets):
    """(sum of the targets' scores, targets with the best class for -1); scores of a picture only move its own map."""
    scores = ops.cast(scores, "float32")
    targets = ops.where(targets < 0, ops.cast(ops.argmax(scores, axis=-1), "int32"), targets)
    return ops.sum(scores * ops.one_hot(targets, scores.shape[-1])) * GRADIENT_SCALE, targets


def _in_tensorflow(model, layer):
    import tensorflow as tf

    def run(images, targets):
        maps = []
        with tf.GradientTape(watch_accessed_variables=False) as tape:

            def watch(_, result, *arguments, **keywords):
                tape.watch(result)
                maps.append(result)
                return result

            with without_activation(model), tapped([layer], watch):
                scores = model(tf.convert_to_tensor(images), training=False)
            objective, targets = _objective(scores, tf.convert_to_tensor(targets))
        gradient = tape.gradient(objective, maps[-1], unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return scores, maps[-1], gradient, targets

    return run


def _in_torch(model, layer):
    import torch

    def run(images, targets):
        maps = []

        def cut(_, result, *arguments, **keywords):
            maps.append(result.detach().requires_grad_())
            return maps[-1]

        with torch.enable_grad(), without_activation(model), tapped([layer], cut):
            scores = model(ops.convert_to_tensor(images), training=False)
            objective, targets = _objective(scores, ops.convert_to_tensor(targets))
            (gradient,) = torch.autograd.grad(objective, maps[-1:], allow_unused=True)
        gradient = torch.zeros_like(maps[-1]) if gradient is None else gradient
        return scores, maps[-1], gradient, targets

    return run


def _in_jax(model, layer):
    import jax

    def run(call, images, targets):
        def forward(addition=None, at_call=None):
            """(objective, (scores, targets, maps)) with something added to the map of one call."""
            maps = []

            def add(_, result, *arguments, **keywords):
                maps.append(result)
                return result + addition if len(maps) == at_call else result

            with without_activation(model), tapped([layer], add):
                scores = call(images)
            objective, chosen = _objective(scores, targets)
            return objective, (scores, chosen, maps)

        shapes = jax.eval_shape(forward)[1][2]
        zeros = jax.numpy.zeros(shapes[-1].shape, shapes[-1].dtype)
        gradient, (scores, chosen, maps) = jax.grad(forward, has_aux=True)(zeros, len(shapes))
        return scores, maps[-1], gradient, chosen

    return _compiled_by_jax(model, run)


def as_numpy(tensors):
    """Tensors in any structure as arrays; floats of 16 bits as float32, since NumPy has no bfloat16."""

    def convert(x):
        if keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16"):
            x = ops.cast(x, "float32")
        return ops.convert_to_numpy(x)

    return keras.tree.map_structure(convert, tensors)
