"""What a model takes: the size, the layout and the preprocessing of its pictures."""

import keras
import numpy as np

from keras_coatnet.images.arrays import as_rgb
from keras_coatnet.images.preprocess import DEFAULT_PREPROCESSING, Preprocessing, preprocess

# Where a model takes any size, and has no spec that says which one it is at home in.
DEFAULT_SIDE = 224
COLOURS = 3


def preprocess_input(images, model_or_tag):
    """Makes pictures ready for a model: read, cropped, resized and normalised as its weights want it.

    All pictures go through it, those that have the model's size too: a crop of 0.95 then enlarges their middle, as it
    does where the weights were evaluated.

    Args:
        images: one picture or several (a list, or an array with a batch axis): paths, PIL pictures, bytes of files,
            arrays or tensors of integers or floats from 0 to 255, channels last.
        model_or_tag: a model; or the name of released weights, "coatnet_0_rw.sw_in1k", or of a variant, which means its
            "imagenet" weights. A model says itself what it takes (`model.preprocessing`, else what its weights' row in
            the manifest says); others get ImageNet's mean and spread and a center crop of 0.95.

    Shapes: -> float32 (N, H, W, 3), or (N, 3, H, W) for a model with channels first; by name, if Keras is set to them.

    Raises:
        UnreadableImage: a file cannot be read.
        ValueError: an array that is no picture, an unknown name, or a model that takes no RGB pictures.
    """
    if isinstance(model_or_tag, str):
        preprocessing, size = _by_name(model_or_tag)
        channels_first = keras.config.image_data_format() == "channels_first"
    else:
        preprocessing, size = preprocessing_of(model_or_tag), input_size(model_or_tag)
        channels_first = takes_channels_first(model_or_tag)
    pictures = [preprocess(as_rgb(image), preprocessing, size) for image in as_list(images)]
    batch = np.stack(pictures) if pictures else np.zeros((0, *size, COLOURS), np.float32)
    return np.moveaxis(batch, -1, 1) if channels_first else batch


def _by_name(name):
    # Inside, so that who hands over a model reads no manifest.
    from keras_coatnet.registry import get_spec
    from keras_coatnet.weights.manifest import DEFAULT_TAG, find_rows, nearest_row

    variant, _, tag = name.partition(".")
    row = nearest_row(find_rows(variant, tag or DEFAULT_TAG), get_spec(variant).input_size)
    return row.preprocessing, (row.input_size, row.input_size)


def preprocessing_of(model):
    """The `Preprocessing` of a model: its own, that of its weights, or the default family's."""
    own = getattr(model, "preprocessing", None)
    if own is not None:
        return own
    origin = getattr(model, "origin", None) or {}
    known = origin.get("preprocessing")
    return DEFAULT_PREPROCESSING if known is None else Preprocessing(**known)


def input_size(model):
    """The (height, width) that pictures are resized to for a model; its variant's, or 224, where it takes any."""
    shape = _image_shape(model)
    sides = shape[2:] if takes_channels_first(model) else shape[1:3]
    spec = getattr(model, "spec", None)
    home = DEFAULT_SIDE if spec is None else spec.input_size
    return sides[0] or home, sides[1] or home


def takes_channels_first(model):
    """Whether a model's pictures are (N, 3, H, W)."""
    shape = _image_shape(model)
    return shape[3] != COLOURS and shape[1] == COLOURS


def _image_shape(model):
    shape = model.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or COLOURS not in (shape[1], shape[3]):
        raise ValueError(f"A model must take RGB pictures, (N, H, W, 3) or (N, 3, H, W); {model.name!r} takes {shape}.")
    return shape


def as_list(images):
    """Pictures one by one: of a list, an array or tensor with a batch axis, or a single picture."""
    if keras.ops.is_tensor(images):
        images = keras.ops.convert_to_numpy(images)
    if isinstance(images, (list, tuple)):
        return [keras.ops.convert_to_numpy(image) if keras.ops.is_tensor(image) else image for image in images]
    # A column of a table is a one-dimensional array of pictures, whatever stands for each.
    if isinstance(images, np.ndarray) and images.ndim in (1, 4):
        return list(images)
    return [images]
