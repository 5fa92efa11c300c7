"""Pictures in a folder of class folders, read into memory and served in batches."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_coatnet.images.preprocess import IMAGENET_MEAN, IMAGENET_STD, SQUASH, Preprocessing, normalise
from keras_coatnet.images.read import IMAGE_SUFFIXES, UnreadableImage, read_image
from keras_coatnet.images.resize import resize_image

HELD_OUT_FRACTION = 0.2
# What `load_images` and the batches do to pictures, for the model to remember.
PREPROCESSING = Preprocessing(IMAGENET_MEAN, IMAGENET_STD, crop=1.0, crop_mode=SQUASH)


@dataclass(frozen=True)
class Example:
    """One picture file and the index of its class."""

    path: Path
    label: int


@dataclass(frozen=True)
class ImageFolder:
    """What a data folder holds: class names in label order, and examples to train on and to hold out."""

    classes: tuple[str, ...]
    train: tuple[Example, ...]
    held_out: tuple[Example, ...]


def open_image_folder(folder, seed=0):
    """Lists the pictures of a data set; reads none of them.

    Args:
        folder: holds one folder a class, or `train/` and `val/` that do. Without `val/` a fifth of each class is held
            out.
        seed: which fifth.

    Raises:
        ValueError: no such folder, fewer than two classes, a class without pictures or too small to hold any out, or
            class folders in `val/` that `train/` lacks.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; data is a folder with one folder a class")
    train_folder = folder / "train" if (folder / "train").is_dir() else folder
    classes = _class_names(train_folder)
    train = _examples(train_folder, classes, classes)
    if train_folder == folder or not (folder / "val").is_dir():
        return ImageFolder(classes, *_split(train, classes, seed))
    unknown = sorted(set(_class_names(folder / "val")) - set(classes))
    if unknown:
        raise ValueError(f"{folder / 'val'}: holds classes that {train_folder} lacks: {', '.join(unknown)}")
    present = [name for name in classes if (folder / "val" / name).is_dir()]
    return ImageFolder(classes, train, _examples(folder / "val", present, classes))


def _class_names(folder):
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if len(names) < 2:
        raise ValueError(f"{folder}: needs at least two class folders, each with pictures; got {names}")
    return tuple(names)


def _examples(folder, names, classes):
    """All pictures of the class folders `names`; labels are positions in `classes`."""
    examples = []
    for name in names:
        paths = sorted(path for path in (folder / name).rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
        if not paths:
            raise ValueError(f"{folder / name}: holds no pictures ({', '.join(sorted(IMAGE_SUFFIXES))})")
        examples.extend(Example(path, classes.index(name)) for path in paths)
    return tuple(examples)


def _split(examples, classes, seed):
    """Holds out a fifth of each class, at least one picture."""
    by_label = defaultdict(list)
    for example in examples:
        by_label[example.label].append(example)
    generator = np.random.default_rng(seed)
    train, held_out = [], []
    for label, members in by_label.items():
        if len(members) < 2:
            raise ValueError(f"class {classes[label]!r} has one picture; two are needed to hold one out")
        count = max(1, round(len(members) * HELD_OUT_FRACTION))
        chosen = set(generator.permutation(len(members))[:count].tolist())
        for index, example in enumerate(members):
            (held_out if index in chosen else train).append(example)
    return tuple(train), tuple(held_out)


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
