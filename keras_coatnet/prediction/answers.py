"""From probabilities to named classes."""

from typing import NamedTuple

import keras
import numpy as np

from keras_coatnet.images.labels import LABEL_SETS, TOLD_BY_SIZE, ClassName, class_names


class Prediction(NamedTuple):
    """One guess: the class's WordNet id (None outside WordNet), its label and its probability."""

    wnid: str | None
    label: str
    probability: float


def decode_predictions(probabilities, top=5, labels=None):
    """Names the most probable classes, as `keras.applications` does.

    Args:
        probabilities: what a classifier answers to a batch.
        top: how many classes a row.
        labels: list of class names, "imagenet-1k" (1,000 classes), "imagenet-12k" (11,821), "tiny-imagenet" (200), or
            None: the first or the second, whichever has as many classes.

    Shapes: (N, classes) -> N lists of `top`

    Returns: a list a row of `Prediction`s (wnid, label, probability), the most probable first. Labels are WordNet's
        lemmas, of which some repeat; the wnid tells their classes apart.
    Raises:
        ValueError: not a batch of rows, NaN in it, no list of that size, or another number of labels.
    """
    if keras.ops.is_tensor(probabilities):
        probabilities = keras.ops.convert_to_numpy(probabilities)
    rows = np.asarray(probabilities)
    if rows.ndim != 2:
        raise ValueError(f"probabilities must be (N, classes); got {rows.shape}.")
    check_top(top)
    names = class_names(labels, rows.shape[1])
    if names is None:
        known = ", ".join(f"{name} ({LABEL_SETS[name]} classes)" for name in TOLD_BY_SIZE)
        raise ValueError(f"labels=None knows {known}; got {rows.shape[1]} classes: hand over a list of their names.")
    if not np.isfinite(rows).all():
        raise ValueError("probabilities must be finite; got NaN or infinity.")
    return [most_probable(row, top, names) for row in rows]


def check_top(top):
    """Raises ValueError for anything but a whole number from 1 up."""
    if isinstance(top, bool) or not isinstance(top, (int, np.integer)) or top < 1:
        raise ValueError(f"top must be a whole number from 1 up; got {top!r}.")


def most_probable(row, top, names):
    """The `top` best `Prediction`s of one row, all if there are fewer; equal ones in the order of the classes."""
    indices = np.argsort(-np.asarray(row, np.float64), kind="stable")[:top]
    return [Prediction(*names[index], float(row[index])) for index in indices]


def numbered(classes):
    """Names of classes that nobody has named: their numbers."""
    return tuple(ClassName(None, str(index)) for index in range(classes))
