"""Two resizes: PIL's, which rounds to bytes, and one in 32-bit floats; both widen the filter where they shrink."""

import numpy as np


def resize_image(image, size, interpolation="bicubic", window=None):
    """Resizes one picture with PIL's filters; the aspect ratio is not kept.

    Args:
        image: uint8 array, or float array with values from 0 to 255, which are kept unrounded and clipped to 0 to 255.
        size: (height, width).
        interpolation: "bicubic", "bilinear", "lanczos", "hamming", "box" or "nearest".
        window: (top, left, bottom, right) of the part to enlarge, in fractions of pixels; None is the whole.

    Shapes: (H, W, 3) -> (height, width, 3), uint8 for bytes, float32 for floats.
    """
    from PIL import Image

    height, width = size
    if image.shape[:2] == (height, width) and window is None:
        return image
    options = {"resample": Image.Resampling[interpolation.upper()]}
    if window is not None:
        top, left, bottom, right = window
        options["box"] = (left, top, right, bottom)
    if image.dtype == np.uint8:
        return np.array(Image.fromarray(image).resize((width, height), **options))
    planes = [Image.fromarray(np.ascontiguousarray(image[:, :, channel], np.float32)) for channel in range(3)]
    resized = np.stack([np.asarray(plane.resize((width, height), **options)) for plane in planes], axis=2)
    return np.clip(resized, 0, 255)


def resize_unrounded(image, size, interpolation="bicubic"):
    """Resizes one picture as `tf.image.resize(antialias=True)` does: in floats, never rounded to bytes nor clipped.

    keras_cv_attention_models evaluates with it. Its sample positions and weights are 32-bit floats, which moves results
    by 1e-4 of the pictures' spread against exact ones; so are ours, and sums run over the taps in the same order.

    Args:
        image: array of bytes or floats.
        size: (height, width).
        interpolation: "bicubic" (Keys' cubic, a = -0.5) or "bilinear".

    Shapes: (H, W, C) -> float32 (height, width, C)
    """
    radius, kernel = _KERNELS[interpolation]
    rows = _resize_first_axis(image, size[0], radius, kernel)
    columns = _resize_first_axis(rows.swapaxes(0, 1), size[1], radius, kernel)
    return np.ascontiguousarray(columns.swapaxes(0, 1))


def _resize_first_axis(image, length, radius, kernel):
    starts, ends, weights = _taps(image.shape[0], length, radius, kernel)
    lines = np.ascontiguousarray(image).reshape(image.shape[0], -1)  # (H, W, C) -> (H, W C)
    resized = np.empty((length, lines.shape[1]), np.float32)
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        weighted = lines[start:end] * weights[index, : end - start, np.newaxis]
        np.add.reduce(weighted, axis=0, out=resized[index])  # adds line after line
    return resized.reshape(length, *image.shape[1:])


def _taps(old, new, radius, kernel):
    """Where each output sample begins and ends to read, and the weights, all in 32-bit floats.

    Shapes: starts (new,), ends (new,), weights (new, taps)
    """
    one, half = np.float32(1), np.float32(0.5)
    step = one / (np.float32(new) / np.float32(old))
    stretch = max(step, one)
    reach = np.float32(radius) * stretch
    centers = (np.arange(new, dtype=np.float32) + half) * step
    starts = np.clip(np.ceil(centers - reach - half).astype(int), 0, old - 1)
    ends = np.clip(np.floor(centers + reach - half).astype(int), 0, old - 1) + 1
    positions = starts[:, np.newaxis] + np.arange((ends - starts).max())  # (new, taps)
    distances = np.abs((positions.astype(np.float32) + half - centers[:, np.newaxis]) * (one / stretch))
    weights = kernel(distances)
    weights[positions >= ends[:, np.newaxis]] = 0
    totals = np.cumsum(weights, axis=1, dtype=np.float32)[:, -1:]
    return starts, ends, weights * (one / totals)


def _keys_cubic(x):
    near = ((np.float32(1.5) * x - np.float32(2.5)) * x) * x + np.float32(1)
    far = ((np.float32(-0.5) * x + np.float32(2.5)) * x - np.float32(4)) * x + np.float32(2)
    return np.where(x < 1, near, np.where(x < 2, far, np.float32(0)))


def _triangle(x):
    return np.maximum(np.float32(1) - x, np.float32(0))


# How far each kernel reaches, and its weight at a distance; both in samples of the coarser grid.
_KERNELS = {"bicubic": (2, _keys_cubic), "bilinear": (1, _triangle)}
UNROUNDED_INTERPOLATIONS = tuple(_KERNELS)
