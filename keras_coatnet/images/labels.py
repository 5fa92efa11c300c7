"""Class names: ImageNet's, which come with the package, and a data set's own in a json file."""

import difflib
import functools
import json
from pathlib import Path
from typing import NamedTuple

# Where a training run leaves its class names, beside the model.
CLASSES_FILE = "classes.json"
# Sizes of the lists in the package.
LABEL_SETS = {"imagenet-1k": 1000, "imagenet-12k": 11821, "tiny-imagenet": 200}
# Those of which the size alone tells enough; 200 classes may be anybody's.
TOLD_BY_SIZE = ("imagenet-1k", "imagenet-12k")
_LABELS_DATA = Path(__file__).with_name("imagenet_labels.tsv.gz")


class ClassName(NamedTuple):
    """A class's WordNet id, None outside WordNet, and its label. Ids differ where labels repeat (two cranes)."""

    wnid: str | None
    label: str


@functools.cache
def label_set(name):
    """The classes of a data set, in the order of its models' outputs.

    Args:
        name: "imagenet-1k", "imagenet-12k" or "tiny-imagenet".

    Returns: tuple of `ClassName`.
    Raises:
        ValueError: another name.
    """
    if name not in LABEL_SETS:
        nearest = difflib.get_close_matches(str(name), LABEL_SETS, n=1)
        hint = f" Nearest: {nearest[0]!r}." if nearest else ""
        raise ValueError(f"labels must be a list or one of {', '.join(map(repr, LABEL_SETS))}; got {name!r}.{hint}")
    import gzip

    member = name.removeprefix("imagenet-")
    rows = (line.split("\t") for line in gzip.decompress(_LABELS_DATA.read_bytes()).decode().splitlines())
    return tuple(ClassName(wnid, lemmas) for wnid, members, lemmas in rows if member in members.split(","))


def label_set_of_size(classes):
    """The name of the list that a number of classes stands for, None where it stands for none."""
    return next((name for name in TOLD_BY_SIZE if LABEL_SETS[name] == classes), None)


def class_names(labels, classes):
    """What a model's classes are called.

    Args:
        labels: list of names, name of a label set, or None: the set that the number of classes tells.
        classes: how many there are.

    Returns: list of `ClassName`, None where nobody says anything.
    Raises:
        ValueError: an unknown name, or another number of names than of classes.
    """
    if labels is None:
        labels = label_set_of_size(classes)
        if labels is None:
            return None
    if isinstance(labels, str):
        names = label_set(labels)
    else:
        names = tuple(ClassName(None, str(label)) for label in labels)
    if len(names) != classes:
        said = f"{labels!r} has" if isinstance(labels, str) else "got"
        raise ValueError(f"labels must name each of the {classes} classes; {said} {len(names)} names")
    return names


def read_labels(path):
    """Reads class names.

    Args:
        path: json file holding a list of strings.

    Raises:
        ValueError: the file holds anything else.
    """
    try:
        labels = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a json file ({error})") from None
    if not (isinstance(labels, list) and labels and all(isinstance(label, str) for label in labels)):
        raise ValueError(f"{path}: must hold a list of class names, in the order of the model's outputs")
    return labels


def write_labels(path, labels):
    """Writes class names, in the order of a model's outputs."""
    Path(path).write_text(json.dumps(list(labels), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
