"""Pictures of a data folder, read into memory and served in batches."""

import keras
import numpy as np

from keras_coatnet.images.preprocess import IMAGENET_MEAN, IMAGENET_STD, SQUASH, Preprocessing, normalise
from keras_coatnet.images.read import UnreadableImage, read_image
from keras_coatnet.images.resize import resize_image
from keras_coatnet.training.folders import Example as Example
from keras_coatnet.training.folders import ImageFolder as ImageFolder
from keras_coatnet.training.folders import open_image_folder as open_image_folder

# What `load_images` and the batches do to pictures, for the model to remember.
PREPROCESSING = Preprocessing(IMAGENET_MEAN, IMAGENET_STD, crop=1.0, crop_mode=SQUASH)


def load_images(examples, size, on_read=None):
    """Reads pictures into memory at one size.

    Args:
        examples: sequence of `Example`.
        size: (height, width).
        on_read: called without arguments after each picture.

    Shapes: -> images uint8 (N, height, width, 3), labels int32 (N,)

    Raises:
        ValueError: some pictures cannot be read; the message names the first five.
    """
    images = np.empty((len(examples), *size, 3), np.uint8)
    failures = []
    for index, example in enumerate(examples):
        try:
            images[index] = resize_image(read_image(example.path), size)
        except UnreadableImage as error:
            failures.append(str(error))
        if on_read is not None:
            on_read()
    if failures:
        more = f"; and {len(failures) - 5} more" if len(failures) > 5 else ""
        raise ValueError(f"{len(failures)} of {len(examples)} pictures cannot be read: {'; '.join(failures[:5])}{more}")
    return images, np.array([example.label for example in examples], np.int32)


class TrainingBatches(keras.utils.PyDataset):
    """Normalised batches in a new order every epoch.

    All batches are full, since each new batch size compiles once more on JAX: what is left at an epoch's end waits for
    a later epoch. A data set smaller than one batch is one batch.

    Args:
        images: uint8 (N, H, W, 3).
        labels: int (N,).
        batch_size: pictures a batch.
        seed: of the order.
    """

    def __init__(self, images, labels, batch_size, seed=0):
        super().__init__()
        self.images, self.labels = images, labels
        self.batch_size = min(batch_size, len(images))
        self.generator = np.random.default_rng(seed)
        self.order = self.generator.permutation(len(images))

    def __len__(self):
        return len(self.images) // self.batch_size

    def __getitem__(self, index):
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return normalise(self.images[chosen]), self.labels[chosen]

    def on_epoch_end(self):
        self.order = self.generator.permutation(len(self.images))


class EvaluationBatches(keras.utils.PyDataset):
    """Normalised batches in order; the last one is filled up with zeros that weigh nothing.

    Args:
        images: uint8 (N, H, W, 3).
        labels: int (N,).
        batch_size: pictures a batch.
    """

    def __init__(self, images, labels, batch_size):
        super().__init__()
        self.images, self.labels, self.batch_size = images, labels, batch_size

    def __len__(self):
        return -(-len(self.images) // self.batch_size)

    def __getitem__(self, index):
        start = index * self.batch_size
        images = self.images[start : start + self.batch_size]
        labels = self.labels[start : start + self.batch_size]
        missing = self.batch_size - len(images)
        weights = np.pad(np.ones(len(images), np.float32), (0, missing))
        images = np.pad(normalise(images), ((0, missing), (0, 0), (0, 0), (0, 0)))
        return images, np.pad(labels, (0, missing)), weights
