"""The activation functions of CoAtNet by name."""

import math

import keras
from keras import ops

from keras_coatnet.layers.fast.forward import runs_natively


@keras.saving.register_keras_serializable(package="keras_coatnet")
def gelu(x):
    """Exact GELU, x * Phi(x) (Hendrycks and Gimpel 2016), through `erf`: the form every exporter knows."""
    if keras.backend.backend() == "jax":
        # Through `erfc`: what JAX makes of `erf`, TensorFlow cannot run when it finds it in a SavedModel.
        return keras.activations.gelu(x, approximate=False)
    if runs_natively(x):
        import torch.nn.functional as F

        return F.gelu(x)
    return 0.5 * x * (1.0 + ops.erf(x * (1.0 / math.sqrt(2.0))))


# Fitted to log(Phi(x) / Phi(-x)) / x for |x| < sqrt(28), in powers of x^2 / 28, so that half precision holds them all.
_LOGIT_RANGE = 28.0
_LOGIT_COEFFICIENTS = (1.59576843, 2.03471988, -0.0519478451, -2.42526379, 4.87927342, -4.59332283, 1.74021759)


@keras.saving.register_keras_serializable(package="keras_coatnet")
def gelu_by_sigmoid(x):
    """GELU as x * sigmoid(x * p(x^2)) with a polynomial p: within 1e-6 of the exact one, without `erf`."""
    scaled = x * (1.0 / math.sqrt(_LOGIT_RANGE))
    square = ops.minimum(scaled * scaled, 1.0)
    polynomial = _LOGIT_COEFFICIENTS[-1]
    for coefficient in reversed(_LOGIT_COEFFICIENTS[:-1]):
        polynomial = polynomial * square + coefficient
    return x * ops.sigmoid(x * polynomial)


def get_activation(activation):
    """The function of a name or callable: "gelu" is the exact one, any other name is Keras'; None is the identity."""
    if activation == "gelu":
        return gelu
    return keras.activations.get(activation)


def activation_name(activation):
    """What `get_config` stores: the name as the user gave it, or a serialised callable."""
    return activation if activation is None or isinstance(activation, str) else keras.activations.serialize(activation)
