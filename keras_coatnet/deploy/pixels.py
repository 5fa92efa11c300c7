"""Between prepared floats and the bytes that they are made of."""

import numpy as np

from keras_coatnet.images.preprocess import normalise


def as_bytes(prepared, preprocessing, channels_first=False):
    """The bytes that normalisation would make these floats of, rounded.

    Shapes: (..., H, W, 3), or (..., 3, H, W) with channels first
    """
    floats = np.moveaxis(prepared, -3, -1) if channels_first else prepared
    values = (floats * np.asarray(preprocessing.std) + np.asarray(preprocessing.mean)) * 255
    rounded = np.clip(np.round(values), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(rounded, -1, -3)) if channels_first else rounded


def as_floats(values, preprocessing, channels_first=False):
    """Normalised floats of bytes; the other way round."""
    values = np.moveaxis(values, -3, -1) if channels_first else values
    floats = normalise(values, preprocessing.mean, preprocessing.std)
    return np.ascontiguousarray(np.moveaxis(floats, -1, -3)) if channels_first else floats
