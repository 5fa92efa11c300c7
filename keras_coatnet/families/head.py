"""Pools and classifiers, the same behind every family's last map."""

import keras

from keras_coatnet.layers.composite import at_least_float32
from keras_coatnet.layers.initializers import Constant, get_initializer

POOLS = {"avg": keras.layers.GlobalAveragePooling2D, "max": keras.layers.GlobalMaxPooling2D}


def pool_map(x, pooling, policy):
    """(B, H, W, C) -> (B, C) by "avg" or "max"."""
    return POOLS[pooling](data_format="channels_last", name=f"{pooling}_pool", dtype=policy)(x)


def classify(x, spec, options, initializer):
    """Dropout and the classifier, which computes in float32 at least.

    Args:
        x: (B, C).
        spec, options: of the model.
        initializer: of the classifier's kernel.
    """
    x = keras.layers.Dropout(options.dropout_rate, name="head_dropout", dtype=options.dtype)(x)
    precise = at_least_float32(keras.dtype_policies.get(options.dtype).compute_dtype)
    classes = spec.num_classes if options.num_classes is None else options.num_classes
    return dense(classes, options.classifier_activation, initializer, "predictions", precise)(x)


def dense(width, activation, initializer, name, dtype):
    return keras.layers.Dense(
        width,
        activation=activation,
        kernel_initializer=get_initializer(initializer),
        bias_initializer=Constant(0.0),
        name=name,
        dtype=dtype,
    )
