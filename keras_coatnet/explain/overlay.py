"""Heat brought from a map to the picture that it was found on."""

import numpy as np

from keras_coatnet.images.preprocess import seen_window
from keras_coatnet.images.resize import resize_image
from keras_coatnet.prediction.inputs import input_size, preprocessing_of


def on_picture(heat, sides, model):
    """Heat at the size of a picture; 0 where the model did not look, because its preprocessing crops.

    Args:
        heat: (H, W), a map over what the model saw.
        sides: (height, width) of the picture.
        model: whose preprocessing counts.

    Shapes: (H, W) -> float32 (height, width)
    """
    top, left, bottom, right = window_on(sides, model)
    placed = np.zeros(sides, np.float32)
    placed[top:bottom, left:right] = enlarge(heat, (bottom - top, right - left))
    return placed


def window_on(sides, model):
    """(top, left, bottom, right) in whole pixels of what a model sees of a picture with these sides."""
    window = seen_window(tuple(sides), preprocessing_of(model), input_size(model))
    top, left, bottom, right = (round(edge) for edge in window)
    return max(top, 0), max(left, 0), min(max(bottom, top + 1), sides[0]), min(max(right, left + 1), sides[1])


def enlarge(heat, sides):
    """A map interpolated to other sides, within the range that it has."""
    from PIL import Image

    height, width = sides
    plane = Image.fromarray(np.ascontiguousarray(heat, np.float32))
    enlarged = np.asarray(plane.resize((width, height), Image.Resampling.BICUBIC))
    return np.clip(enlarged, heat.min(), heat.max())


def shown_picture(picture, longest=1024):
    """A picture no larger than a figure shows it: (H, W, 3) bytes, the longer side at most `longest`."""
    height, width = picture.shape[:2]
    scale = min(1.0, longest / max(height, width))
    sides = max(1, round(height * scale)), max(1, round(width * scale))
    return np.asarray(resize_image(picture, sides)).round().astype(np.uint8)
