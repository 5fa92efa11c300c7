"""What TensorFlow has in one operation and Keras computes in several."""

import keras


def has_batch_norm(layer, x):
    """Whether `batch_norm` is what a norm does to a map in training."""
    if keras.backend.backend() != "tensorflow" or type(layer) is not keras.layers.BatchNormalization:
        return False
    import tensorflow as tf

    return (
        tf.is_tensor(x)
        and x.dtype == tf.float32
        and len(x.shape) == 4
        and layer.axis in (-1, 3)
        and layer.built
        and layer.dtype_policy.name == "float32"
        and layer.trainable
        and layer.center
        and layer.scale
        and not (layer.renorm or layer.synchronized)
        and layer.activity_regularizer is None
        # cuDNN takes none below.
        and layer.epsilon >= 1e-5
        and keras.distribution.distribution() is None
    )


def batch_norm(layer, x):
    """`keras.layers.BatchNormalization` in training, forward and backward one operation each.

    Args:
        layer: see `has_batch_norm`.
        x: (B, H, W, C).
    """
    import tensorflow as tf

    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=layer.gamma.value,
        offset=layer.beta.value,
        mean=[],
        variance=[],
        epsilon=layer.epsilon,
        exponential_avg_factor=1.0,
        is_training=True,
    )
    count = tf.cast(tf.size(x) / x.shape[3], "float32")
    # TensorFlow's variance is over count - 1 (1 of a single pixel), Keras' moving one over count.
    variance = variance * (tf.maximum(count - 1.0, 1.0) / count)
    for moving, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving.value * layer.momentum + tf.stop_gradient(value) * (1.0 - layer.momentum))
    return y
