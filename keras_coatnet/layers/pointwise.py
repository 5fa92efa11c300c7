"""1x1 convolutions, as the matrix products they are."""

import keras

from keras_coatnet.layers.fast.forward import forward, may_skip_keras
from keras_coatnet.layers.fast.torch_products import linear
from keras_coatnet.layers.initializers import Constant, get_initializer


def pointwise(units, *, use_bias, kernel_initializer, name, dtype):
    """A 1x1 convolution on channels-last maps: a Dense layer, which every backend runs faster and quantization finds.

    Biases start at zero.
    """
    return keras.layers.Dense(
        units,
        use_bias=use_bias,
        kernel_initializer=get_initializer(kernel_initializer),
        bias_initializer=Constant(0.0),
        name=name,
        dtype=dtype,
    )


def project(layer, x, activation=keras.activations.linear):
    """activation(layer(x)) for a layer of `pointwise`, in one where PyTorch can."""
    if type(layer) is keras.layers.Dense and may_skip_keras(layer, x) and layer.activation is keras.activations.linear:
        return linear(x, layer.kernel, layer.bias, activation)
    return activation(forward(layer, x))
