"""Crop, resize and normalisation of `images.preprocess` as a TensorFlow graph, equal to it picture by picture.

PIL resizes bytes in two passes with weights of 22 bits after the point, and rounds to bytes in between and at the end.
Products of bytes and such weights are whole numbers that 64-bit floats hold exactly, and so do their sums: matrix
products of them are PIL's own numbers, in whatever order a machine adds.
"""

import math

from keras_coatnet.images.preprocess import CENTER, CROP_FIRST

# PIL's: 32 bits, less 8 of a byte and 2 for sums of weights above 1.
PRECISION_BITS = 32 - 8 - 2
# The first version that takes rows before columns where that is less work; what a bicubic overshoots is cut off in
# between, so it can be told. A file does as the PIL does beside which it is written.
ROWS_FIRST_SINCE = 13
SUPPORT = {"bicubic": 2.0, "bilinear": 1.0, "box": 0.5, "hamming": 1.0, "lanczos": 3.0}


def prepare_bytes(pictures, preprocessing, size):
    """Makes pictures ready for a model.

    Args:
        pictures: uint8 tensor.
        preprocessing: `Preprocessing`.
        size: (height, width) of the model's input.

    Shapes: (B, H, W, 3) -> float32 (B, height, width, 3)
    """
    import tensorflow as tf

    resize = _crop_then_resize if preprocessing.order == CROP_FIRST else _resize_then_crop
    resized = tf.ensure_shape(resize(pictures, preprocessing, size), (None, *size, 3))
    scaled = tf.cast(resized, tf.float32) / 255.0
    return (scaled - tf.constant(preprocessing.mean, tf.float32)) / tf.constant(preprocessing.std, tf.float32)


def _crop_then_resize(pictures, preprocessing, size):
    import tensorflow as tf

    sides = tf.shape(pictures)[1:3]
    shortened = tf.repeat(tf.reduce_min(sides), 2) if preprocessing.crop_mode == CENTER else sides
    kept = tf.cast(tf.constant(preprocessing.crop, tf.float32) * tf.cast(shortened, tf.float32), tf.int32)
    kept = tf.maximum(kept, 1)
    top, left = tf.unstack((sides - kept) // 2)
    cropped = pictures[:, top : top + kept[0], left : left + kept[1]]
    return tf.image.resize(cropped, size, preprocessing.interpolation, antialias=True)


def _resize_then_crop(pictures, preprocessing, size):
    import tensorflow as tf

    sides = tf.shape(pictures)[1:3]
    area = [math.floor(side / preprocessing.crop) for side in size]
    enlarged = _cover(sides, area) if preprocessing.crop_mode == CENTER else tf.constant(area)
    # Rounds halves to the even number, as Python does.
    corner = tf.cast(tf.round((tf.cast(enlarged, tf.float64) - tf.constant(size, tf.float64)) / 2), tf.int32)
    rows, columns = (
        _weights(sides[axis], enlarged[axis], corner[axis], size[axis], preprocessing.interpolation) for axis in (0, 1)
    )
    exact = tf.cast(pictures, tf.float64)

    def narrow(images):
        return _rounded(tf.einsum("ow,bhwc->bhoc", columns, images))

    def shorten(images):
        return _rounded(tf.einsum("oh,bhwc->bowc", rows, images))

    if not rows_may_go_first():
        return shorten(narrow(exact))
    lost = sides - enlarged
    rows_go_first = (lost[0] > 0) & (lost[0] > 2 * lost[1])
    return tf.cond(rows_go_first, lambda: narrow(shorten(exact)), lambda: shorten(narrow(exact)))


def rows_may_go_first():
    """Whether the PIL of this process takes the rows first where they lose more than twice what the columns lose."""
    import PIL

    return int(PIL.__version__.split(".")[0]) >= ROWS_FIRST_SINCE


def _cover(sides, area):
    """The smallest size of the old aspect that covers an area; see `images.preprocess`."""
    import tensorflow as tf

    exact = tf.cast(sides, tf.float64)
    if area[0] == area[1]:
        short, long = tf.reduce_min(exact), tf.reduce_max(exact)
        longer = tf.cast(tf.floor(area[0] * long / short), tf.int32)
        pair = tf.stack([tf.constant(area[0]), longer])
        return tf.where(sides[0] <= sides[1], pair, pair[::-1])
    ratio = tf.minimum(exact[0] / area[0], exact[1] / area[1])
    return tf.cast(tf.round(exact / ratio), tf.int32)


def _weights(old, new, start, count, interpolation):
    """PIL's weights, as whole numbers: of each old sample in each of `count` new ones from `start` on.

    Shapes: float64 (count, old)
    """
    import tensorflow as tf

    old_float = tf.cast(old, tf.float64)
    step = old_float / tf.cast(new, tf.float64)
    stretch = tf.maximum(step, 1.0)
    reach = SUPPORT[interpolation] * stretch
    centers = (tf.cast(start + tf.range(count), tf.float64) + 0.5) * step  # (count,)
    first = tf.maximum(tf.floor(centers - reach + 0.5), 0.0)[:, tf.newaxis]
    # C cuts off towards zero, which for a negative first sample is zero as well.
    end = tf.minimum(tf.floor(centers + reach + 0.5), old_float)[:, tf.newaxis]
    samples = tf.cast(tf.range(old), tf.float64)[tf.newaxis]  # (1, old)
    weights = _kernel((samples - centers[:, tf.newaxis] + 0.5) * (1.0 / stretch), interpolation)
    weights = tf.where((samples >= first) & (samples < end), weights, tf.zeros_like(weights))
    weights /= tf.reduce_sum(weights, axis=1, keepdims=True)
    scaled = weights * float(1 << PRECISION_BITS)
    # Halves away from zero, as adding a half of the sign and cutting off does.
    return tf.sign(scaled) * tf.floor(tf.abs(scaled) + 0.5)


def _rounded(sums):
    """Bytes, still as floats."""
    import tensorflow as tf

    whole = tf.floor((sums + float(1 << (PRECISION_BITS - 1))) / float(1 << PRECISION_BITS))
    return tf.clip_by_value(whole, 0.0, 255.0)


def _kernel(x, interpolation):
    """A filter of PIL at distances `x`."""
    import tensorflow as tf

    x = tf.abs(x)
    zero = tf.zeros_like(x)
    if interpolation == "bicubic":  # Keys' cubic, a = -0.5
        near = ((-0.5 + 2.0) * x - (-0.5 + 3.0)) * x * x + 1.0
        far = (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
        return tf.where(x < 1.0, near, tf.where(x < 2.0, far, zero))
    if interpolation == "bilinear":
        return tf.where(x < 1.0, 1.0 - x, zero)
    if interpolation == "box":
        return tf.where(x <= 0.5, tf.ones_like(x), zero)
    if interpolation == "hamming":
        window = _sinc(x) * (0.54 + 0.46 * tf.cos(x * math.pi))
        return tf.where(x < 1.0, window, zero)
    return tf.where(x < 3.0, _sinc(x) * _sinc(x / 3.0), zero)


def _sinc(x):
    import tensorflow as tf

    turned = tf.where(x == 0.0, tf.ones_like(x), x * math.pi)
    return tf.where(x == 0.0, tf.ones_like(x), tf.sin(turned) / turned)
