"""What XLA on a CPU runs faster in other operations than the library's, and how to know that it runs."""

import functools

import keras
from keras import ops


def runs_on_cpu():
    """Whether JAX places new computations on the CPU."""
    import jax

    device = jax.config.jax_default_device
    platform = getattr(device, "platform", device) or jax.default_backend()
    return platform == "cpu"


def has_pool(x):
    """Whether `pool` is the form for a map: JAX on a CPU, and sides that are known."""
    return keras.backend.backend() == "jax" and all(isinstance(side, int) for side in x.shape[1:3]) and runs_on_cpu()


def pool(x, kind, stride, sides):
    """See `pooling.pool`: the pixels of all windows as slices of the map, which XLA fuses into one pass.

    The gradient of the library's maximum looks for it window by window, which takes 20 times as long. Pixels that are
    equally high share the gradient here; there the first of them has all of it.

    Args:
        sides: height and width of the pooled map.
    """
    window = 3 if kind == "max3x3" else stride
    height, width = ((side - 1) * stride + 1 for side in sides)
    padded = with_margins(x, kind, stride)
    pixels = [
        padded[:, i : i + height : stride, j : j + width : stride, :] for i in range(window) for j in range(window)
    ]
    if kind != "average":
        return functools.reduce(ops.maximum, pixels)
    wide = keras.backend.result_type(x.dtype, "float32")
    total = functools.reduce(ops.add, [ops.cast(each, wide) for each in pixels])
    return ops.cast(total / window**2, x.dtype)


def with_margins(x, kind, stride):
    """A map as the windows of a maximum need it, nothing higher around it."""
    if kind == "average":
        return x
    missing = [-side % stride for side in x.shape[1:3]]
    margins = [[1, 1]] * 2 if kind == "max3x3" else [[rows // 2, rows - rows // 2] for rows in missing]
    if not any(map(any, margins)):
        return x
    return ops.pad(x, [[0, 0], *margins, [0, 0]], constant_values=float("-inf"))
