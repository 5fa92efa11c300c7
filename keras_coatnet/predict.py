"""Pictures to labels."""

from os import PathLike
from typing import NamedTuple

import numpy as np

from keras_coatnet.images.preprocess import normalise, resize_image
from keras_coatnet.images.read import read_image, to_rgb

# Where a model takes any size.
DEFAULT_SIZE = (224, 224)
LARGEST_BATCH = 32


class Prediction(NamedTuple):
    """One guess: the class's name, or its number as text where no names are known, and its probability."""

    label: str
    probability: float


def input_size(model):
    """The (height, width) that pictures are resized to for a model; 224 where it takes any."""
    height, width = model.input_shape[1:3]
    return height or DEFAULT_SIZE[0], width or DEFAULT_SIZE[1]


def predict(model, images, top=5, *, labels=None, batch_size=None):
    """Names the most probable classes of pictures.

    Args:
        model: classifier whose outputs are probabilities.
        images: list of paths, uint8 RGB arrays (H, W, 3) or PIL images, or a single one.
        top: how many classes a picture.
        labels: class names in the order of the outputs.
        batch_size: pictures at once; None means all, up to 32.

    Returns: one list of `Prediction`s a picture, the most probable first.

    Raises:
        UnreadableImage: a file cannot be read.
        ValueError: another number of labels than of outputs, or an array that is no picture.
    """
    classes = model.output_shape[-1]
    if labels is not None and len(labels) != classes:
        raise ValueError(f"labels must name each of the model's {classes} classes; got {len(labels)} names")
    if not _are_several(images):
        images = [images]
    batch_size = batch_size or min(len(images), LARGEST_BATCH) or 1
    rows = []
    for start in range(0, len(images), batch_size):
        pictures = [resize_image(_to_array(image), input_size(model)) for image in images[start : start + batch_size]]
        rows.extend(_probabilities(model, pictures, batch_size))
    return [_most_probable(row, top, labels) for row in rows]


def _are_several(images):
    return images.ndim == 4 if isinstance(images, np.ndarray) else isinstance(images, (list, tuple))


def _to_array(image):
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"an image array must be uint8 (H, W, 3); got {image.dtype} {image.shape}")
        return image
    if isinstance(image, (str, PathLike)):
        return read_image(image)
    return to_rgb(image)


def _probabilities(model, pictures, batch_size):
    """One row a picture. The batch is filled up, since each new batch size compiles once more on JAX."""
    batch = np.zeros((batch_size, *pictures[0].shape), np.float32)
    batch[: len(pictures)] = normalise(np.stack(pictures))
    return model.predict(batch, batch_size=batch_size, verbose=0)[: len(pictures)]


def _most_probable(row, top, labels):
    indices = np.argsort(-row, kind="stable")[:top]
    return [Prediction(labels[index] if labels else str(index), float(row[index])) for index in indices]
