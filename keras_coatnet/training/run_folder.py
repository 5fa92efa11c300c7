"""What a training run leaves: model.keras and classes.json side by side."""

from pathlib import Path

from keras_coatnet.images.labels import CLASSES_FILE, write_labels
from keras_coatnet.weights.atomic import replacing

MODEL_FILE = "model.keras"


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
    with replacing(folder / CLASSES_FILE) as part:
        write_labels(part, classes)
    with replacing(folder / MODEL_FILE) as part:
        model.save(part)
    return folder / MODEL_FILE
