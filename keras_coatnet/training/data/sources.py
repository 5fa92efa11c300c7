"""Where pictures come from: anything with a length, labels and a way to read the picture at an index."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from keras_coatnet.images.arrays import as_rgb
from keras_coatnet.images.read import UnreadableImage
from keras_coatnet.training.data.folders import open_image_folder
from keras_coatnet.training.data.lists import LIST_SUFFIXES, open_list
from keras_coatnet.training.data.tfds import TFDS_PREFIX, open_tfds


@dataclass(frozen=True)
class Files:
    """Pictures in files.

    Args:
        paths: one a picture.
        labels: index of the class of each.
    """

    paths: tuple
    labels: tuple

    @classmethod
    def of(cls, examples):
        """Of a sequence of `Example`."""
        return cls(tuple(str(each.path) for each in examples), tuple(each.label for each in examples))

    def __len__(self):
        return len(self.paths)

    def name(self, index):
        return self.paths[index]

    def label(self, index):
        return self.labels[index]

    def read(self, index):
        """uint8 (H, W, 3); `UnreadableImage` where the file is none."""
        return as_rgb(self.paths[index])


@dataclass
class Rows:
    """Pictures of anything that gives a row for an index: a list, ArrayRecord's and TFDS' data sources, an array.

    Args:
        rows: `rows[index]` is (picture, label), or a dictionary with `image` and `label`; pictures are whatever
            `images.arrays.as_rgb` takes: arrays, PIL pictures, bytes of files, paths.
        title: what rows are called in messages, with the index behind it.
    """

    rows: Sequence
    title: str = "row"
    _last: tuple = field(default=(None, None), repr=False, compare=False)

    def __len__(self):
        return len(self.rows)

    def name(self, index):
        return f"{self.title} {index}"

    def label(self, index):
        return int(self._row(index)[1])

    def read(self, index):
        """uint8 (H, W, 3), or float32; `UnreadableImage` where the row holds no picture."""
        try:
            return as_rgb(self._row(index)[0])
        except ValueError as error:  # `UnreadableImage` is one; so is an array of a wrong shape or range
            raise UnreadableImage(f"{self.name(index)}: {error}") from None

    def _row(self, index):
        # Picture and label are asked for one after the other, and reading a row may be decoding a picture.
        known, row = self._last
        if known != index:
            row = self.rows[index]
            self._last = (index, row)
        return (row["image"], row["label"]) if isinstance(row, dict) else row

    def __getstate__(self):
        return {**self.__dict__, "_last": (None, None)}


@dataclass(frozen=True)
class Data:
    """A data set: class names in label order, and a source for each part; `test` may be None."""

    classes: tuple
    train: Files | Rows
    held_out: Files | Rows
    test: Files | Rows | None = None


def open_data(where, seed=0):
    """Finds a data set; reads no picture.

    Args:
        where: a folder (see `open_image_folder`), a .json, .jsonl or .csv list (see `open_list`), or "tfds:NAME", a
            data set that tensorflow_datasets has prepared as ArrayRecord (see `open_tfds`).
        seed: which pictures are held out, where the data set does not say.

    Raises:
        ValueError: nothing usable is there; the message says what is missing.
    """
    if str(where).startswith(TFDS_PREFIX):
        classes, *parts = open_tfds(str(where))
        return Data(classes, *(None if part is None else Rows(part, str(where)) for part in parts))
    found = open_list(where, seed) if Path(where).suffix.lower() in LIST_SUFFIXES else open_image_folder(where, seed)
    test = Files.of(found.test) if found.test else None
    return Data(found.classes, Files.of(found.train), Files.of(found.held_out), test)
