"""The activation functions of CoAtNet by name."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_coatnet")
def gelu(x):
    """Exact GELU, x * Phi(x) (Hendrycks and Gimpel 2016), through `erf`: the form every exporter knows."""
    return 0.5 * x * (1.0 + ops.erf(x * (1.0 / math.sqrt(2.0))))


def get_activation(activation):
    """The function of a name or callable: "gelu" is the exact one, any other name is Keras'; None is the identity."""
    if activation == "gelu":
        return gelu
    return keras.activations.get(activation)


def activation_name(activation):
    """What `get_config` stores: the name as the user gave it, or a serialised callable."""
    return activation if activation is None or isinstance(activation, str) else keras.activations.serialize(activation)
