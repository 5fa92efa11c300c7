"""Layers watched while a model runs, however deep they stand in it, without building another model."""

import contextlib
import threading

from keras_coatnet.layers.fast.forward import plain_forms

# Layers are watched by one thread at a time, and what other threads do with them meanwhile is not seen.
_turn = threading.RLock()


@contextlib.contextmanager
def tapped(layers, see):
    """Inside, every call of these layers gives what `see` makes of it.

    Args:
        layers: list of layers.
        see: function (layer, result, *arguments, **keywords) of a call -> what the layer gives instead of the result.
    """
    # Blocks that run their layers past Keras would run them past the watch too.
    with _turn, plain_forms():
        thread = threading.get_ident()
        try:
            for layer in layers:
                layer.call = _watching(layer, layer.call, see, thread)
            yield
        finally:
            for layer in layers:
                # The class's own stands behind it.
                vars(layer).pop("call", None)


def _watching(layer, call, see, thread):
    def watched(*arguments, **keywords):
        result = call(*arguments, **keywords)
        if threading.get_ident() != thread:
            return result
        return see(layer, result, *arguments, **keywords)

    return watched


@contextlib.contextmanager
def without_activation(model):
    """Inside, the last layer of a model gives what its activation would have been applied to: a classifier's logits.

    Yields: the activation, None where there is none.
    """
    layer = last_layer(model)
    activation = getattr(layer, "activation", None)
    if activation is None:
        yield None
        return
    with _turn:
        layer.activation = _unchanged
        try:
            yield activation
        finally:
            layer.activation = activation


def last_layer(model):
    """The layer that gives a model's output, inside models within it too."""
    layers = getattr(model, "layers", None)
    return last_layer(layers[-1]) if layers else model


def all_layers(model):
    """A model's layers with all that stand inside them."""
    return model._flatten_layers(include_self=False)


def _unchanged(x):
    return x
