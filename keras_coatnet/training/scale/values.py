"""What variables hold, as arrays of their own, wherever their parts lie."""

import keras
import numpy as np


def whole_value(variable):
    """The value of a Keras variable as a NumPy array that nothing else uses.

    JAX gives buffers away while it trains, and PyTorch's arrays are views. A variable that is cut over processes is
    put together, for which all of them have to ask at the same time.
    """
    value = variable.value
    if keras.backend.standardize_dtype(variable.dtype) == "bfloat16":
        # NumPy's files hold no bfloat16, and float32 holds all of it.
        value = keras.ops.cast(value, "float32")
    backend = keras.backend.backend()
    if backend == "jax" and not (value.is_fully_addressable or value.is_fully_replicated):
        from jax.experimental import multihost_utils

        return np.array(multihost_utils.process_allgather(value, tiled=True))
    if backend == "tensorflow":
        import tensorflow as tf

        # Under a strategy there is one a replica: the first one's is taken, or the sum where they hold parts of one.
        value = tf.convert_to_tensor(value)
    return np.array(keras.ops.convert_to_numpy(value))


def even_out(model):
    """Gives all replicas of a `tf.distribute` strategy the same norm statistics, their mean; elsewhere they are equal.

    Each replica's norms see its own part of a batch, and their moving statistics drift apart.
    """
    if keras.backend.backend() != "tensorflow":
        return
    for variable in model.non_trainable_variables:
        values = getattr(variable.value, "values", None)
        if values is not None and keras.backend.is_float_dtype(variable.dtype):
            variable.assign(np.mean([value.numpy() for value in values], axis=0))
