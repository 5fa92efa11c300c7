"""Whole batches as a function of epoch and step: what every loader and every worker process computes."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from keras_coatnet.images.preprocess import Preprocessing, preprocess
from keras_coatnet.images.read import UnreadableImage
from keras_coatnet.training.augment.mixing import BatchMix, above_threshold, one_hot, smooth_labels
from keras_coatnet.training.augment.picture import PictureAugmentation
from keras_coatnet.training.augment.randomness import BATCH, PICTURE, generator_for
from keras_coatnet.training.data.order import TrainingOrder
from keras_coatnet.training.scale.parts import ALONE, Parts

# So many bad pictures in a row are no accident: the disk is gone, or the folder holds something else.
LONGEST_SEARCH = 100


class Batch(NamedTuple):
    """One batch, and which pictures could not be read: a tuple of (index, reason)."""

    arrays: tuple
    skipped: tuple = ()


@dataclass
class TrainingBatchMaker:
    """Augmented and mixed batches.

    Args:
        source: pictures, `Files` or `Rows`.
        classes: how many.
        order: `TrainingOrder`.
        augmentation: `PictureAugmentation`.
        mix: `BatchMix`.
        label_smoothing: share of each label that is spread over all classes.
        target_threshold: labels become 1 above it and 0 elsewhere; None leaves them.
    """

    source: Any
    classes: int
    order: TrainingOrder
    augmentation: PictureAugmentation
    mix: BatchMix = field(default_factory=BatchMix)
    label_smoothing: float = 0.0
    target_threshold: float | None = None

    endless = True

    @property
    def steps(self):
        """Batches an epoch."""
        return self.order.steps

    @property
    def batch_size(self):
        """Pictures a batch, over all processes."""
        return self.order.batch_size

    @property
    def shapes(self):
        """Of the arrays of a batch, this process's part of it."""
        count = len(self.order.places)
        return (count, *self.augmentation.crop.size, 3), (count, self.classes)

    def batch(self, epoch, step):
        """This process's part of the batch of a step; its arrays are (images, labels).

        A picture that cannot be read is replaced by the next one of the data set that can.

        Shapes: float32 (N, height, width, 3), float32 (N, classes)
        """
        images, labels, skipped = np.empty(self.shapes[0], np.float32), [], []
        for place, (index, copy) in enumerate(self.order.batch(epoch, step).tolist()):
            picture, index = self._read(index, skipped)
            images[place] = self.augmentation(picture, generator_for(PICTURE, self.order.seed, epoch, index, copy))
            labels.append(self.source.label(index))
        generator = generator_for(BATCH, self.order.seed, epoch, step)
        labels = smooth_labels(one_hot(labels, self.classes), self.label_smoothing)
        images, labels = self.mix(images, labels, generator, self.order.places, self.order.batch_size)
        if self.target_threshold is not None:
            labels = above_threshold(labels, self.target_threshold)
        return Batch((images, labels), tuple(skipped))

    def _read(self, index, skipped):
        """(picture, its index): the one asked for or the next that can be read."""
        for _ in range(min(LONGEST_SEARCH, len(self.source))):
            try:
                return self.source.read(index), index
            except UnreadableImage as error:
                skipped.append((index, str(error)))
                index = (index + 1) % len(self.source)
        raise UnreadableImage(f"{len(skipped)} pictures in a row cannot be read, the last one: {skipped[-1][1]}")


@dataclass
class EvaluationBatchMaker:
    """Batches in order, made ready as a checkpoint wants it, all of one size.

    Args:
        source: pictures, `Files` or `Rows`.
        classes: how many.
        batch_size: pictures a batch, over all processes.
        preprocessing: the checkpoint's `Preprocessing`.
        size: (height, width) of the model's input.
        parts: `Parts` of a run on several devices or in several processes.
    """

    source: Any
    classes: int
    batch_size: int
    preprocessing: Preprocessing
    size: tuple
    parts: Parts = ALONE

    endless = False

    @property
    def shapes(self):
        """Of the arrays of a batch, this process's part of it."""
        count = self.batch_size // self.parts.count
        return (count, *self.size, 3), (count, self.classes), (count,)

    @property
    def steps(self):
        """Batches in all."""
        return -(-len(self.source) // self.batch_size)

    def batch(self, epoch, step):
        """This process's part of the batch of a step, the same in every epoch: (images, labels, weights).

        Pictures that cannot be read, and what is missing in the last batch, are zeros that weigh nothing.

        Shapes: float32 (N, height, width, 3), float32 (N, classes), float32 (N,)
        """
        images, weights = np.zeros(self.shapes[0], np.float32), np.zeros(self.shapes[2], np.float32)
        labels = np.zeros(len(weights), np.int64)
        start, skipped = step * self.batch_size, []
        for place, index in enumerate(start + offset for offset in self.parts.slice_of(self.batch_size)):
            if index >= len(self.source):
                break
            labels[place] = self.source.label(index)
            try:
                images[place] = preprocess(self.source.read(index), self.preprocessing, self.size)
                weights[place] = 1
            except UnreadableImage as error:
                skipped.append((index, str(error)))
        return Batch((images, one_hot(labels, self.classes), weights), tuple(skipped))
