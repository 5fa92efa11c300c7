"""From a name, a file or a model to a trained model and the names of its classes."""

from pathlib import Path

import keras

from keras_coatnet import registry
from keras_coatnet.images.labels import CLASSES_FILE, read_labels

DEFAULT_WEIGHTS = "imagenet"
MODEL_ENDING = ".keras"


def check_source(model, weights):
    """Refuses what `load` could never load, before anything is read.

    Args:
        model: name of a variant, path of a `.keras` file, or a model.
        weights: tag or path of a checkpoint for a variant's name, else None.

    Raises:
        ValueError: an unknown name, no such file, or weights for what has its own.
    """
    if isinstance(model, str) and not model.endswith(MODEL_ENDING):
        registry.get_spec(model)
        return
    if weights is not None:
        named = getattr(model, "name", model)
        raise ValueError(f"weights go with a variant's name; {named} holds its own, got weights={weights!r}")
    if isinstance(model, keras.Model):
        return
    if not Path(model).is_file():
        raise ValueError(f"{model}: no such file")


def load(model, weights=None):
    """A trained classifier.

    Args:
        model: name of a variant, path of a `.keras` file, or a model, which is returned as it is.
        weights: tag of released weights or path of a checkpoint, for a variant's name; None is "imagenet".

    Returns: (model, labels); labels are those of `classes.json` beside the file, else None.
    Raises:
        ValueError: what `check_source` refuses, or a file that cannot be loaded.
    """
    check_source(model, weights)
    if isinstance(model, keras.Model):
        return model, None
    if isinstance(model, str) and not model.endswith(MODEL_ENDING):
        weights = DEFAULT_WEIGHTS if weights is None else weights
        return registry.build(model, pretrained=weights), labels_beside(weights)
    # Uncompiled: a model compiled on one backend need not load on another, and predicting takes no optimizer.
    return keras.models.load_model(model, compile=False), labels_beside(model)


def labels_beside(file):
    """The class names in `classes.json` beside a file; None where there are none."""
    if not Path(file).is_file():
        return None
    labels = Path(file).with_name(CLASSES_FILE)
    return read_labels(labels) if labels.is_file() else None
