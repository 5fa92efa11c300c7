"""From any model to the one that a file is written of: in float32, at its size, without norms, with its inputs."""

import contextlib
import os
import tempfile

import keras

from keras_coatnet import registry
from keras_coatnet.deploy.arguments import BYTES, sides_of
from keras_coatnet.prediction.inputs import COLOURS, takes_channels_first

FLOAT32 = "float32"
OTHER_FLOATS = ("float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16")
POLICIES = ("DTypePolicy", "FloatDTypePolicy", "DTypePolicyMap")


def as_float32(model):
    """A copy of a model that computes in float32 throughout, nested models included.

    Raises: ValueError for a model whose layers cannot be made again from their config.
    """
    try:
        twin = model.__class__.from_config(float32_config(model.get_config()))
    except (TypeError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{model.name!r} cannot be made again from its config, as export has to: {reason}") from error
    # By file, since a relative-position table may have been resized since it was made.
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.weights.h5")
        model.save_weights(file)
        twin.load_weights(file)
    for name in ("origin", "preprocessing"):
        if getattr(model, name, None) is not None:
            with contextlib.suppress(AttributeError):
                setattr(twin, name, getattr(model, name))
    return twin


def float32_config(config):
    """The config with every floating dtype and dtype policy in it replaced."""
    if isinstance(config, dict):
        if config.get("class_name") in POLICIES:
            return {**config, "class_name": "DTypePolicy", "config": {"name": FLOAT32}}
        return {key: _float32_entry(key, value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(float32_config(entry) for entry in config)
    return config


def _float32_entry(key, value):
    if key == "dtype" and value in OTHER_FLOATS:
        return FLOAT32
    return float32_config(value)


def at_size(model, image_size):
    """The model for pictures of one size; as it is where that is its own.

    Args:
        model: as `as_float32` makes it.
        image_size: (height, width), or None for open sides.

    Raises: ValueError for a model that has other layers in front.
    """
    if image_size is None or sides_of(model) == tuple(image_size):
        return model
    shape = (COLOURS, *image_size) if takes_channels_first(model) else (*image_size, COLOURS)
    if getattr(model, "spec", None) is not None:
        return registry.resize_model(model, shape)
    inputs = keras.Input(shape, name="images")
    return keras.Model(inputs, model(inputs), name=model.name)


def without_norms(model):
    """(model without the norms that can be folded, True), or (the model itself, False) where it has no spec."""
    from keras_coatnet.deploy.fuse import fuse

    if getattr(model, "spec", None) is None:
        return model, False
    try:
        registry.check_own(model, "fused")
    except ValueError:
        # Other layers stand in front of it.
        return model, False
    return fuse(model), True


def with_byte_inputs(model, request):
    """A model that takes bytes: pictures of the model's size from 0 to 255, normalised inside."""
    if request.inputs != BYTES or request.takes_whole_pictures:
        return model
    mean, std = request.preprocessing.mean, request.preprocessing.std
    inputs = keras.Input(model.input_shape[1:], dtype="uint8", name="images")
    # (bytes / 255 - mean) / std
    scale = [1 / (255 * spread) for spread in std]
    offset = [-center / spread for center, spread in zip(mean, std, strict=True)]
    if takes_channels_first(model):
        scale, offset = ([[[value]] for value in values] for values in (scale, offset))  # (3,) -> (3, 1, 1)
    normalise = keras.layers.Rescaling(scale, offset, dtype=FLOAT32, name="normalise")
    return keras.Model(inputs, model(normalise(inputs)), name=model.name)
