"""Grad-CAM: which pixels of a stage's map speak for a class. arXiv 1610.02391; pixel by pixel, arXiv 2011.08891."""

from typing import NamedTuple

import keras
import numpy as np

from keras_coatnet.explain.classes import find_class
from keras_coatnet.explain.gradients import as_numpy, gradient_run
from keras_coatnet.explain.stages import find_layer
from keras_coatnet.explain.taps import last_layer
from keras_coatnet.prediction.classifier import Classifier
from keras_coatnet.prediction.inputs import as_list


class Evidence(NamedTuple):
    """What a model answers to pictures, and where it saw it.

    heat: float32 (N, H, W) from 0 to 1, at the size of the stage's map: what speaks for the class.
    classes: (N,) numbers of the classes that `heat` is about.
    probabilities: float32 (N, all classes).
    """

    heat: np.ndarray
    classes: np.ndarray
    probabilities: np.ndarray


class GradCAM:
    """A classifier that says where it saw a class, ready for many pictures.

    heat = relu(sum_k gradient_k * map_k) over the channels k of a stage's map, the gradient being that of the class's
    score before the softmax; then divided by its maximum. With `average_gradients` each channel's gradient is first
    averaged over the map, as in the first paper: that also lights pixels on which the class does not depend. Where a
    map's mean goes into a linear classifier, both are the same.

    Args:
        model: classifier of this package, one with such a model inside, or any other where `stage` names a layer.
        stage: number of a stage, 0 being the stem; the name of any layer that gives a map; None is the last stage.
        labels: class names, see `predict`.
        average_gradients: whether gradients are averaged over the map.

    Raises: ValueError for a model without a classifier, or a stage that is not there.
    Source: arXiv 1610.02391, section 3; without the average, HiResCAM, arXiv 2011.08891.
    """

    def __init__(self, model, stage=None, *, labels=None, average_gradients=False):
        check_classifier(model)
        self.layer = find_layer(model, stage)
        # It knows how pictures are made ready and what the classes are called.
        self.classifier = Classifier(model, labels)
        self.activation = getattr(last_layer(model), "activation", None)
        self.average_gradients = average_gradients
        self._run = gradient_run(model, self.layer)

    @property
    def names(self):
        """`ClassName`s in the order of the model's outputs."""
        return self.classifier.names

    def __call__(self, images, target=None):
        """Where a class is seen on pictures.

        Args:
            images: one picture or several, of all kinds that `preprocess_input` takes.
            target: a class's name, WordNet id or number; None is each picture's most probable one.

        Returns: `Evidence`.
        Raises:
            UnreadableImage: a file cannot be read.
            ValueError: an unknown class, an array that is no picture, or answers that are no numbers.
        """
        target = -1 if target is None else find_class(self.names, target)
        pictures = [self.classifier.prepare(image) for image in as_list(images)]
        if not pictures:
            raise ValueError("images must be one picture or several; got none.")
        pictures = np.stack(pictures)
        if self.classifier.channels_first:
            pictures = np.ascontiguousarray(np.moveaxis(pictures, -1, 1))
        scores, maps, gradients, classes = self._run(pictures, np.full(len(pictures), target))
        check_map(self.layer, maps)
        if not np.isfinite(scores).all():
            name = self.classifier.model.name
            raise ValueError(f"{name!r} answers NaN or infinity: its weights are damaged or its numbers overflow.")
        return Evidence(heat_of(maps, gradients, self.average_gradients), classes, self._probabilities(scores))

    def _probabilities(self, scores):
        """By the model's own activation; by softmax for a model that gives logits."""
        activation = self.activation
        if activation in (None, keras.activations.linear):
            activation = keras.activations.softmax
        return as_numpy(activation(keras.ops.convert_to_tensor(scores, "float32")))


def grad_cam(model, images, target=None, stage=None, *, labels=None, average_gradients=False):
    """Where a model sees a class on pictures, see `GradCAM`.

    Args:
        model: classifier.
        images: one picture or several, of all kinds that `preprocess_input` takes.
        target: a class's name, WordNet id or number; None is each picture's most probable one.
        stage, labels, average_gradients: see `GradCAM`, which is quicker for many calls.

    Returns: float32 (N, H, W) from 0 to 1, at the size of the stage's map; `on_picture` brings it to a picture's.
    Raises: what `GradCAM` and its call raise.
    """
    return GradCAM(model, stage, labels=labels, average_gradients=average_gradients)(images, target).heat


def heat_of(maps, gradients, average_gradients=False):
    """Grad-CAM of maps and of a score's gradients with respect to them.

    Shapes: 2 x (N, H, W, C) -> (N, H, W)
    """
    if average_gradients:
        gradients = gradients.mean((1, 2), keepdims=True)
    heat = np.maximum((maps * gradients).sum(-1), 0)
    largest = heat.max((1, 2), keepdims=True)
    # Where nothing speaks for the class, nothing is lit.
    return np.divide(heat, largest, out=np.zeros_like(heat), where=largest > 0)


def check_classifier(model):
    """Raise a ValueError for a model that tells no classes apart."""
    options = getattr(model, "options", None)
    if len(model.output_shape) == 2 and (options is None or options.include_top):
        return
    raise ValueError(
        f"Grad-CAM needs a classifier; {model.name!r} has none and gives {model.output_shape}: build it with "
        "include_top=True, or put a classifier of your own behind it."
    )


def check_map(layer, maps):
    """Raise a ValueError for what is no map of pixels."""
    if maps.ndim != 4:
        raise ValueError(f"stage must name a layer that gives a map (N, H, W, C); {layer.name!r} gives {maps.shape}.")
