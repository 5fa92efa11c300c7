"""Data sets by name, from TensorFlow Datasets in its ArrayRecord form; no TensorFlow is needed to read them."""

from dataclasses import dataclass

TFDS_PREFIX = "tfds:"
HELD_OUT_PERCENT = 20


@dataclass
class TfdsPart:
    """One part of a prepared data set, opened where it is read: each process has its own handle.

    Args:
        name: of the data set, with its version and configuration if wanted.
        split: such as "train" or "train[:80%]".
        folder: where tensorflow_datasets keeps its data; None is its own default.
    """

    name: str
    split: str
    folder: str | None = None
    _rows: object = None

    def __getstate__(self):
        return {**self.__dict__, "_rows": None}

    def __len__(self):
        return len(self._opened())

    def __getitem__(self, index):
        return self._opened()[index]

    def _opened(self):
        if self._rows is None:
            self._rows = _import_tfds().data_source(self.name, split=self.split, data_dir=self.folder, download=False)
        return self._rows


def open_tfds(where):
    """Finds a data set that tensorflow_datasets has prepared with `file_format="array_record"`.

    Args:
        where: "tfds:NAME" or "tfds:NAME@FOLDER", NAME as `tfds.load` takes it.

    Returns: (class names, train, held out, test or None); where there is no validation split, a fifth of train.
    Raises:
        ValueError: no such data set, or none with images, labels and a train split.
        ModuleNotFoundError: tensorflow_datasets is not installed; the message says how to install it.
    """
    name, _, folder = where.removeprefix(TFDS_PREFIX).partition("@")
    tfds = _import_tfds()
    try:
        info = tfds.builder(name, data_dir=folder or None).info
    except Exception as error:  # its own kinds of error are many
        raise ValueError(f"{where}: {' '.join(str(error).split())[:300]}") from None
    if not {"image", "label"} <= set(info.features) or "train" not in info.splits:
        raise ValueError(
            f"{where}: needs the features image and label and a split train; has {', '.join(info.features)}"
        )
    train, held_out = f"train[{HELD_OUT_PERCENT}%:]", f"train[:{HELD_OUT_PERCENT}%]"
    if "validation" in info.splits:
        train, held_out = "train", "validation"
    test = TfdsPart(name, "test", folder or None) if "test" in info.splits else None
    parts = (TfdsPart(name, split, folder or None) for split in (train, held_out))
    return (tuple(info.features["label"].names), *parts, test)


def _import_tfds():
    try:
        import tensorflow_datasets
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "Data sets by name need tensorflow_datasets: pip install tensorflow-datasets array-record"
        ) from None
    return tensorflow_datasets
