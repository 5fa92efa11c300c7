"""What a training run leaves: model.keras and classes.json side by side."""

import os
from pathlib import Path

from keras_coatnet.images.labels import write_labels

MODEL_FILE = "model.keras"
CLASSES_FILE = "classes.json"


def save_run(model, classes, folder):
    """Writes the model and its class names; a file of either name is there whole or not at all.

    Args:
        model: `keras.Model`.
        classes: class names in the order of the outputs.
        folder: made if missing.

    Returns: the path of the model file.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # The names go first: whoever finds a model finds its classes.
    _replace(folder / CLASSES_FILE, lambda part: write_labels(part, classes))
    return _replace(folder / MODEL_FILE, model.save)


def _replace(target, write):
    part = target.with_name(f".partial-{os.getpid()}-{target.name}")
    try:
        write(part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target
