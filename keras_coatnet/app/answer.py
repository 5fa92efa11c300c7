"""From an uploaded file to what a page shows of it."""

import time
from typing import NamedTuple

import numpy as np

from keras_coatnet.explain.class_figure import short_label
from keras_coatnet.explain.figure import coloured, faded
from keras_coatnet.explain.overlay import on_picture, shown_picture
from keras_coatnet.images.read import read_image
from keras_coatnet.prediction.answers import most_probable

TOP = 5
# Of the longer side, in pixels: what a page has room for.
LONGEST = 768


class Answer(NamedTuple):
    """What was found on a picture.

    picture: (H, W, 3) bytes, as large as it is shown. heat: (H, W) from 0 to 1. guesses: [(label, probability), ...],
        the most probable first. about: label of the class that `heat` is about. seconds: that the model took.
    """

    picture: np.ndarray
    heat: np.ndarray
    guesses: list
    about: str
    seconds: float


def answer(models, name, stage, path):
    """An `Answer` of a named model to a picture file.

    Raises:
        UnreadableImage: the file is no picture, too large or broken.
        ValueError, OSError: the model cannot be had, or answers no numbers.
    """
    pixels = read_image(path)
    start = time.perf_counter()
    explainer, evidence = models.explain(name, stage, pixels)
    seconds = time.perf_counter() - start
    shown = shown_picture(pixels, LONGEST)
    heat = on_picture(evidence.heat[0], shown.shape[:2], explainer.classifier.model)
    best = most_probable(evidence.probabilities[0], TOP, explainer.names)
    about = short_label(explainer.names[int(evidence.classes[0])])
    return Answer(shown, heat, [(short_label(guess), guess.probability) for guess in best], about, seconds)


def blend(picture, heat, strength):
    """Heat laid over a picture: 0 is the picture as it is, 1 the heat as figures show it. Shapes: -> (H, W, 3) bytes"""
    colours = coloured(heat)
    opacity = colours[..., 3:] * strength
    under = picture * (1 - strength) + faded(picture) * strength
    return np.round(under * (1 - opacity) + 255 * colours[..., :3] * opacity).astype(np.uint8)
