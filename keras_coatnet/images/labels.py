"""Class names in a json file: a list, in the order of a model's outputs."""

import json
from pathlib import Path


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
