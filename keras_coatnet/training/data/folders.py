"""Pictures in folders: which there are, what class each is of, and which part of the data each belongs to."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_coatnet.images.read import IMAGE_SUFFIXES

HELD_OUT_FRACTION = 0.2
HELD_OUT_FOLDERS = ("val", "validation")


@dataclass(frozen=True, slots=True)
class Example:
    """One picture file and the index of its class."""

    path: Path
    label: int


@dataclass(frozen=True)
class ImageFolder:
    """What a data folder holds: class names in label order, and examples to train on, to hold out and to test with."""

    classes: tuple[str, ...]
    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    test: tuple[Example, ...] = ()


def open_image_folder(folder, seed=0):
    """Lists the pictures of a data set; reads none of them.

    Args:
        folder: holds one folder a class, or `train/` that does, and `val/` or `validation/`, and `test/`. Without a
            folder of held-out pictures a fifth of each class is held out.
        seed: which fifth.

    Raises:
        ValueError: no such folder, fewer than two classes, a class without pictures or too small to hold any out, or
            class folders in `val/` or `test/` that `train/` lacks.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; data is a folder with one folder a class")
    train_folder = folder / "train" if (folder / "train").is_dir() else folder
    classes = _class_names(train_folder)
    train = _examples(train_folder, classes, classes)
    if train_folder == folder:
        return ImageFolder(classes, *split_examples(train, classes, seed))
    test = _part(folder / "test", classes, train_folder) if (folder / "test").is_dir() else ()
    held_out_folder = _held_out_folder(folder)
    if held_out_folder is None:
        return ImageFolder(classes, *split_examples(train, classes, seed), test)
    return ImageFolder(classes, train, _part(held_out_folder, classes, train_folder), test)


def _held_out_folder(folder):
    found = [folder / name for name in HELD_OUT_FOLDERS if (folder / name).is_dir()]
    if len(found) > 1:
        raise ValueError(f"{folder}: holds both val/ and validation/; keep one of them")
    return found[0] if found else None


def _part(folder, classes, train_folder):
    """Examples of a folder that may lack some classes but have none of its own."""
    unknown = sorted(set(_class_names(folder)) - set(classes))
    if unknown:
        raise ValueError(f"{folder}: holds classes that {train_folder} lacks: {', '.join(unknown)}")
    return _examples(folder, [name for name in classes if (folder / name).is_dir()], classes)


def _class_names(folder):
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if len(names) < 2:
        raise ValueError(f"{folder}: needs at least two class folders, each with pictures; got {names}")
    return tuple(names)


def _examples(folder, names, classes):
    """All pictures of the class folders `names`; labels are positions in `classes`."""
    labels = {name: label for label, name in enumerate(classes)}
    examples = []
    for name in names:
        paths = picture_files(folder / name)
        if not paths:
            raise ValueError(f"{folder / name}: holds no pictures ({', '.join(sorted(IMAGE_SUFFIXES))})")
        examples.extend(Example(path, labels[name]) for path in paths)
    return tuple(examples)


def picture_files(folder):
    """All picture files of a folder and those below it, sorted."""
    return sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)


def split_examples(examples, classes, seed):
    """Holds out a fifth of each class, at least one picture.

    Returns: (tuple to train on, tuple held out)
    Raises: ValueError where a class has one picture only.
    """
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
