"""Lists of pictures with their classes: csv, json, or json lines."""

import csv
import json
from pathlib import Path

from keras_coatnet.training.data.folders import HELD_OUT_FOLDERS, Example, ImageFolder, split_examples

LIST_SUFFIXES = (".csv", ".json", ".jsonl")
PATH_KEYS, LABEL_KEYS, PART_KEYS = ("path", "image", "file"), ("label", "class"), ("split", "part")
PARTS = {"train": "train", "training": "train", "test": "test"} | dict.fromkeys(HELD_OUT_FOLDERS, "held_out")


def open_list(file, seed=0):
    """Reads a list of pictures; none of the pictures themselves.

    Args:
        file: .csv with a header, .json with a list of objects, or .jsonl with an object a line. Each row has `path`
            (or `image`, `file`), from the list's folder on where it is relative; `label` (or `class`), a name; and,
            if wanted, `split` (or `part`): "train", "val" or "validation", or "test". Where no row is held out, a
            fifth of each class is.
        seed: which fifth.

    Returns: `ImageFolder`; classes are the labels of the training rows, sorted.
    Raises:
        ValueError: the file cannot be read as such a list; the message names the first bad row.
    """
    file = Path(file)
    parts = {"train": [], "held_out": [], "test": []}
    for number, row in enumerate(_rows(file), 1):
        path, label, part = _fields(row, f"{file}: row {number}")
        parts[part].append((file.parent / path, label))
    classes = tuple(sorted({label for _, label in parts["train"]}))
    if len(classes) < 2:
        raise ValueError(f"{file}: needs training rows of at least two classes; got {list(classes)}")
    labels = {name: index for index, name in enumerate(classes)}
    for part in ("held_out", "test"):
        unknown = sorted({label for _, label in parts[part]} - set(classes))
        if unknown:
            raise ValueError(f"{file}: classes that no training row has: {', '.join(unknown)}")
    train, held_out, test = (tuple(Example(path, labels[name]) for path, name in rows) for rows in parts.values())
    if not held_out:
        train, held_out = split_examples(train, classes, seed)
    return ImageFolder(classes, train, held_out, test)


def _rows(file):
    """Dictionaries, one a picture."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not text in UTF-8 ({error})") from None
    if file.suffix.lower() == ".csv":
        return list(csv.DictReader(text.splitlines()))
    try:
        if file.suffix.lower() == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}: not a json file ({error})") from None
    if not isinstance(rows, list):
        raise ValueError(f"{file}: must hold a list of objects with path and label; got {type(rows).__name__}")
    return rows


def _fields(row, where):
    """(path, label, part) of a row."""
    if not isinstance(row, dict):
        raise ValueError(f"{where}: must be an object with path and label; got {row!r}")
    path, label = (_value(row, keys) for keys in (PATH_KEYS, LABEL_KEYS))
    if not path or label in (None, ""):
        raise ValueError(f"{where}: needs path and label; has {', '.join(map(str, row)) or 'nothing'}")
    part = _value(row, PART_KEYS) or "train"
    if part not in PARTS:
        raise ValueError(f"{where}: split must be one of {', '.join(PARTS)}; got {part!r}")
    return path, str(label), PARTS[part]


def _value(row, keys):
    return next((row[key] for key in keys if key in row), None)
