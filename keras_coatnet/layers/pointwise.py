"""1x1 convolutions, as the matrix products they are."""

import keras

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
