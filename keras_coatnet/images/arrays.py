"""Whatever stands for one picture (a path, a file's bytes, a PIL picture, an array) becomes one RGB array."""

import os

import numpy as np

from keras_coatnet.images.read import UnreadableImage, decode_image, read_image, to_rgb

CHANNELS = (1, 3, 4)


def as_rgb(picture):
    """One RGB array of anything that stands for a picture.

    Args:
        picture: path, bytes of a file, PIL picture, or array or tensor: (H, W) or (H, W, channels) with 1, 3 or 4
            channels, of integers or floats from 0 to 255. A fourth channel is opacity over white.

    Shapes: -> (H, W, 3), float32 for floats, uint8 for all others

    Raises:
        UnreadableImage: a file or its bytes cannot be read, or None, a table's missing value.
        ValueError: an array of another shape, or with other values.
        TypeError: anything else.
    """
    from PIL import Image

    if picture is None:
        raise UnreadableImage("no picture: the value is missing")
    if isinstance(picture, (str, os.PathLike)):
        return read_image(picture)
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return decode_image(bytes(picture))
    if isinstance(picture, Image.Image):
        return to_rgb(picture)
    if not hasattr(picture, "__array__"):
        raise TypeError(
            f"A picture is a path, the bytes of a file, a PIL picture or an array; got {type(picture).__name__}."
        )
    return array_as_rgb(np.asarray(picture))


def array_as_rgb(array):
    """RGB of one picture's array; see `as_rgb`."""
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    if array.ndim != 3 or array.shape[2] not in CHANNELS or 0 in array.shape:
        raise ValueError(f"An image array must be (H, W) or (H, W, C) with 1, 3 or 4 channels; got {array.shape}.")
    array = _from_0_to_255(array)
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    if array.shape[2] == 3:
        return array
    opacity = array[:, :, 3:].astype(np.float32) / 255
    blended = array[:, :, :3] * opacity + 255 * (1 - opacity)
    return blended.astype(np.float32) if array.dtype == np.float32 else np.round(blended).astype(np.uint8)


def _from_0_to_255(array):
    """The same values as bytes or 32-bit floats, once it is sure that they count from 0 to 255."""
    if array.dtype == np.uint8:
        return array
    is_float = np.issubdtype(array.dtype, np.floating) or array.dtype.name == "bfloat16"
    if not is_float and not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"An image array must hold integers or floats; got {array.dtype}.")
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 255):  # NaN is refused too
        raise ValueError(f"The values of an image array must lie within 0 to 255; got {low:g} to {high:g}.")
    if not is_float:
        return array.astype(np.uint8)
    # A picture scaled to 0 to 1 would be taken for a black one, without a word.
    if 0 < high <= 1:
        raise ValueError(
            f"The values of an image array must lie within 0 to 255; got {low:g} to {high:g}, which looks like 0 to 1: "
            "multiply it by 255, or hand it over as uint8."
        )
    return array.astype(np.float32)
