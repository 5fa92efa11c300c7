"""A stream of pictures through a model, in full batches, read ahead in threads, answered in order."""

import itertools
import os
from collections import deque

import numpy as np

from keras_coatnet.images.arrays import as_rgb
from keras_coatnet.images.labels import LABEL_SETS, class_names
from keras_coatnet.images.preprocess import preprocess
from keras_coatnet.images.read import UnreadableImage
from keras_coatnet.prediction.answers import check_top, most_probable, numbered
from keras_coatnet.prediction.inputs import COLOURS, input_size, preprocessing_of, takes_channels_first
from keras_coatnet.prediction.spread import batch_parts, predict_spread, round_up

LARGEST_BATCH = 32
MOST_THREADS = 8
# How far reading may run ahead of the model.
BATCHES_AHEAD = 2


class NotProbabilities(ValueError):
    """A model's answers are no numbers from 0 to 1."""


class Classifier:
    """A model with its preprocessing and its labels, ready for pictures.

    Args:
        model: classifier whose outputs are probabilities.
        labels: class names in the order of the outputs, name of a label set, or None: those of the model's weights,
            else ImageNet's where the number of classes is theirs, else numbers.
        top: how many classes a picture.
        batch_size: pictures at once, unless the model says its `fixed_batch_size`. The last batch is filled up: another
            size would compile anew. It is made larger where the devices that the model lies on do not divide it.
        threads: that read pictures; None is one a processor, at most 8.

    A model of another kind, such as an exported file, may say more of itself: `fixed_batch_size`, `class_labels`, and
    `takes_whole_pictures` where it crops, resizes and normalises by itself, in its `predict_pictures`.

    Raises:
        ValueError: the model takes no RGB pictures or gives no (N, classes), another number of labels than of outputs,
            or a number below 1.
    """

    def __init__(self, model, labels=None, top=5, batch_size=LARGEST_BATCH, threads=None):
        check_top(top)
        for name, value in (("batch_size", batch_size), ("threads", threads)):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be 1 or more; got {value}.")
        self.model, self.top = model, top
        self.batch_size = round_up(getattr(model, "fixed_batch_size", None) or batch_size, batch_parts(model))
        self.threads = threads or min(MOST_THREADS, available_processors())
        self.size, self.preprocessing = input_size(model), preprocessing_of(model)
        self.channels_first = takes_channels_first(model)
        self.hands_on = getattr(model, "takes_whole_pictures", False)
        self.names = _names_of(model, labels)

    def prepare(self, image):
        """One picture as the model takes it. Shapes: -> float32 (height, width, 3), or as the picture is."""
        picture = as_rgb(image)
        return picture if self.hands_on else preprocess(picture, self.preprocessing, self.size)

    def answers(self, pictures):
        """`Prediction`s of up to `batch_size` prepared pictures: a list a picture."""
        rows = np.asarray(self._outputs(pictures))[: len(pictures)]
        _check_probabilities(rows, self.model)
        return [most_probable(row, self.top, self.names) for row in rows]

    def _outputs(self, pictures):
        if self.hands_on:
            return self.model.predict_pictures(pictures)
        batch = np.zeros((self.batch_size, *self.size, COLOURS), np.float32)
        batch[: len(pictures)] = pictures
        if self.channels_first:
            batch = np.ascontiguousarray(np.moveaxis(batch, -1, 1))
        return predict_spread(self.model, batch)

    def stream(self, images):
        """Answers to any number of pictures, in their order; as many as fill a batch are held at once.

        Args:
            images: iterable of what `as_rgb` takes; an `UnreadableImage` among them is its own answer.

        Yields: (image, list of `Prediction`s), or (image, `UnreadableImage`) for a file that cannot be read.
        Raises:
            NotProbabilities: the model gives something else.
        """
        waiting, readable = [], 0
        for image, picture in self._read_ahead(images):
            waiting.append((image, picture))
            readable += not isinstance(picture, UnreadableImage)
            if readable == self.batch_size:
                yield from self._answered(waiting)
                waiting, readable = [], 0
        yield from self._answered(waiting)

    def _answered(self, waiting):
        pictures = [picture for _, picture in waiting if not isinstance(picture, UnreadableImage)]
        answers = iter(self.answers(pictures)) if pictures else iter(())
        for image, picture in waiting:
            yield image, picture if isinstance(picture, UnreadableImage) else next(answers)

    def _read_ahead(self, images):
        """(image, prepared picture or error) in order, a few batches ahead of who asks."""
        from concurrent.futures import ThreadPoolExecutor

        images = iter(images)
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="read_pictures")
        try:
            underway = deque()
            while True:
                room = self.batch_size * BATCHES_AHEAD - len(underway)
                for image in itertools.islice(images, room):
                    underway.append((image, pool.submit(self._try_to_prepare, image)))
                if not underway:
                    return
                image, future = underway.popleft()
                yield image, future.result()
        finally:
            # Also where nobody asks any more: what is not begun is not read.
            pool.shutdown(wait=False, cancel_futures=True)

    def _try_to_prepare(self, image):
        if isinstance(image, UnreadableImage):
            return image
        try:
            return self.prepare(image)
        except UnreadableImage as error:
            return error


def _names_of(model, labels):
    shape = model.output_shape
    if not isinstance(shape, tuple) or len(shape) != 2 or shape[1] is None:
        raise ValueError(f"A classifier must give (N, classes); {model.name!r} gives {shape}: build it with its top.")
    labels = getattr(model, "class_labels", None) if labels is None else labels
    origin = getattr(model, "origin", None)
    if labels is None and origin is not None:
        # It says which labels hold: none where the classifier was made for other classes, however many.
        labels = origin.get("labels")
        if labels not in LABEL_SETS:
            return numbered(shape[1])
    return class_names(labels, shape[1]) or numbered(shape[1])


def _check_probabilities(rows, model):
    if np.isnan(rows).any():
        raise NotProbabilities(f"{model.name!r} answers NaN: its weights are damaged or its numbers overflow.")
    if rows.min() < -1e-3 or rows.max() > 1 + 1e-3:
        raise NotProbabilities(
            f"A classifier's outputs must be probabilities from 0 to 1; {model.name!r} gives {rows.min():.3g} to "
            f'{rows.max():.3g}. Build it with classifier_activation="softmax".'
        )


def available_processors():
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
