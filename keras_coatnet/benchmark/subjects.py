"""What is timed: variants as Keras runs them, their fused twins, saved models and exported files."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from keras_coatnet import registry
from keras_coatnet.deploy.fuse import fuse
from keras_coatnet.deploy.runtimes import is_exported, open_file
from keras_coatnet.prediction.inputs import COLOURS, input_size, takes_channels_first

MODEL_ENDING = ".keras"


class NotFinite(ValueError):
    """A model that answers NaN or infinity is not timed."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """Something that answers batches of pictures.

    Args:
        name: to show.
        runtime: what runs it: a backend of Keras or a format.
        size: (height, width) of its pictures.
        predict: function from a float32 batch to the outputs.
        channels_first: whether its pictures are (N, 3, H, W).
    """

    name: str
    runtime: str
    size: tuple
    predict: Callable
    channels_first: bool = False

    def call_on(self, batch_size):
        """A function without arguments that predicts one batch of noise.

        Raises: NotFinite for outputs that are no numbers.
        """
        shape = (batch_size, *self.size, COLOURS)
        batch = np.random.default_rng(0).standard_normal(shape).astype("float32")
        if self.channels_first:
            batch = np.ascontiguousarray(np.moveaxis(batch, -1, 1))
        if not np.isfinite(np.asarray(self.predict(batch))).all():
            raise NotFinite(f"{self.name} answers NaN or infinity.")
        return lambda: self.predict(batch)


def check_subject(name):
    """Raise a ValueError for what `open_subjects` could not open, before anything is built."""
    if not is_exported(name) and not name.endswith(MODEL_ENDING):
        registry.get_spec(name)


def open_subjects(name, image_size=None, fused=False):
    """The subjects of one name or file.

    Args:
        name: of a variant (fresh weights: speed does not ask for trained ones), or path of a `.keras` or exported file.
        image_size: (height, width) for variants; None is each variant's own.
        fused: whether a variant's fused twin is a subject too.

    Yields: `Subject`.
    Raises: ValueError for an unknown name, a size that a variant cannot take, or a file that cannot be loaded.
    """
    if is_exported(name):
        model = open_file(name)
        yield Subject(name, model.format.name, input_size(model), model.predict_on_batch, takes_channels_first(model))
        return
    if name.endswith(MODEL_ENDING):
        yield of_keras(name, keras.models.load_model(name, compile=False))
        return
    model = registry.build(name, input_shape=input_shape(image_size))
    yield of_keras(name, model)
    if fused:
        yield of_keras(f"{name} fused", fuse(model))


def of_keras(name, model):
    """The `Subject` of a Keras model."""
    return Subject(
        name, keras.backend.backend(), input_size(model), model.predict_on_batch, takes_channels_first(model)
    )


def input_shape(image_size):
    """Of a model for pictures of a size, in Keras' image data format."""
    if image_size is None:
        return None
    return (COLOURS, *image_size) if keras.config.image_data_format() == "channels_first" else (*image_size, COLOURS)
