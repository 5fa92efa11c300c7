"""What a file says about itself: where it is from, what it takes, and what its classes are called."""

import dataclasses

from keras_coatnet.images.labels import LABEL_SETS, class_names, label_set_of_size
from keras_coatnet.version import __version__


def describe(model, request, activation, labels=None):
    """Metadata of a file.

    Args:
        model: that is exported, with the outputs that the file has.
        request: `Request`.
        activation: what it ends in.
        labels: class names, name of a label set, or None: those of the model's weights.

    Returns: dictionary that JSON can hold: `keras_coatnet` (the version that wrote it), `name`, `format`, `inputs`,
        `input_description`, `image_size`, `quantization`, `preprocessing`, `activation`, `output_shape`, `label_set`,
        `labels` and `origin`.
    """
    label_set, names = labels_of(model, labels)
    return {
        "keras_coatnet": __version__,
        "name": model.name,
        "format": request.format,
        "inputs": request.inputs,
        "input_description": describe_inputs(request),
        "image_size": None if request.image_size is None else list(request.image_size),
        "quantization": request.quantization,
        "preprocessing": dataclasses.asdict(request.preprocessing),
        "activation": activation,
        "output_shape": [request.batch_size, *model.output_shape[1:]],
        "label_set": label_set,
        "labels": names,
        "origin": getattr(model, "origin", None),
    }


def describe_inputs(request):
    """What to feed, in words."""
    size = "of any size" if request.image_size is None else "{} x {} (height x width)".format(*request.image_size)
    if request.inputs == "jpeg":
        return "files of JPEG pictures, as strings; decoded, cropped, resized and normalised inside"
    if request.takes_whole_pictures:
        return "RGB pictures of any one size, bytes from 0 to 255; cropped, resized and normalised inside"
    if request.inputs == "uint8":
        return f"RGB pictures {size}, bytes from 0 to 255; normalised inside"
    mean, std = (list(getattr(request.preprocessing, field)) for field in ("mean", "std"))
    return f"RGB pictures {size}, (values from 0 to 1 - mean) / std, with mean {mean} and std {std}"


def labels_of(model, labels=None):
    """(name of a label set or None, list of class names or None) of a classifier.

    Raises: ValueError for another number of names than of classes.
    """
    shape = model.output_shape
    if len(shape) != 2:
        return None, None
    origin = getattr(model, "origin", None)
    if labels is None and origin is not None:
        labels = origin.get("labels")
        if labels not in LABEL_SETS:
            return None, None
    if labels is None:
        labels = label_set_of_size(shape[1])
    names = class_names(labels, shape[1])
    if names is None:
        return None, None
    return (labels if isinstance(labels, str) else None), [name.label for name in names]
