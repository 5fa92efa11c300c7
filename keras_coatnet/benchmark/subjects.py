"""What is timed: variants as Keras runs them, their fused twins, saved models and exported files.

`open_subject` is the maker of the processes that `workers` starts; `check_subject` looks first, in this process.
"""

import dataclasses
import os
import random

import keras
import numpy as np

from keras_coatnet import registry
from keras_coatnet.allocator import keep_freed_memory
from keras_coatnet.benchmark.machine import device_peak_bytes
from keras_coatnet.benchmark.steps import inference_call, keras_call, training_call
from keras_coatnet.deploy.fuse import fuse
from keras_coatnet.deploy.runtimes import is_exported, open_file
from keras_coatnet.layers.rematerialization import rematerialize
from keras_coatnet.prediction.inputs import COLOURS, input_size, takes_channels_first
from keras_coatnet.weights.checkpoint import load_checkpoint

MODEL_ENDING = ".keras"
# "inference" and "training" are bare compiled steps; the others are Keras' own functions around them.
MODES = ("inference", "training", "predict_on_batch", "train_on_batch", "fit")
TRAINING_MODES = ("training", "train_on_batch", "fit")
FIT_STEPS = 4
# Rows of outputs that go back to be compared.
SHOWN_OUTPUTS = 2


class NotFinite(ValueError):
    """A model that answers NaN or infinity is not timed."""


def check_subject(name, mode="inference"):
    """Raise a ValueError for what `open_subject` could not open, before anything is built."""
    if is_exported(name):
        if mode in TRAINING_MODES:
            raise ValueError(f"{name} is an exported file, which cannot be trained; got mode {mode}.")
        if not os.path.exists(name):
            raise ValueError(f"{name}: no such file")
    elif name.endswith(MODEL_ENDING):
        if not os.path.isfile(name):
            raise ValueError(f"{name}: no such file")
    else:
        registry.get_spec(name)


def open_subject(
    mark,
    name,
    *,
    mode="inference",
    batch_size=8,
    image_size=None,
    fused=False,
    dtype=None,
    fields=None,
    rematerialized=False,
    weights=None,
    images=None,
):
    """A thing to time: see `worker_process`.

    Args:
        mark: function of a step's name.
        name: of a variant (fresh weights: speed does not ask for trained ones), or path of a `.keras` or exported file.
        mode: one of `MODES`.
        batch_size: pictures of a call, or of a step.
        image_size: (height, width) for variants; None is each variant's own.
        fused: whether a model's fused twin is timed in its place.
        dtype: dtype policy of a variant; None is float32.
        fields: of a variant's spec that differ, as a dictionary.
        rematerialized: whether training computes attention maps and the like again instead of keeping them.
        weights: path of a checkpoint for a variant; None leaves the fresh ones.
        images: path of a `.npy` file of pictures, channels last, to answer; None is noise.

    Returns: what `worker_process` wants of a maker. Outputs are two rows, or the loss of the first step.
    Raises: ValueError for an unknown name, a size that a variant cannot take, or a file that cannot be loaded.
    """
    mark("import")
    if is_exported(name):
        return _of_file(mark, open_file(name), batch_size, images)
    # As the commands do that compute with Keras.
    keep_freed_memory()
    # The same fresh weights in every process; Keras' own way of seeding loads TensorFlow under other backends too.
    random.seed(0)
    model = _build(name, image_size, fused, dtype, fields, rematerialized, weights)
    mark("build")
    size = input_size(model)
    batch, labels = _batch(images, batch_size, size, takes_channels_first(model)), _labels(model, batch_size)
    if mode == "inference":
        call = inference_call(model, batch)
    elif mode == "training":
        call = training_call(model, batch, labels)
    else:
        call = keras_call(model, mode, batch, labels, FIT_STEPS)
    about = {"runtime": keras.backend.backend(), "image_size": size, "macs": _macs(model, size)}
    return {
        "calls": {"run": call},
        "outputs": lambda answer: _shown(name, answer),
        "about": {**about, "images_a_call": _images_a_call(mode, batch_size)},
        "device_peak": device_peak_bytes,
    }


def _build(name, image_size, fused, dtype, fields, rematerialized, weights):
    if name.endswith(MODEL_ENDING):
        model = keras.models.load_model(name, compile=False)
    else:
        model = build_variant(name, image_size, dtype, fields, rematerialized)
        if weights is not None:
            load_checkpoint(model, weights)
    return fuse(model) if fused else model


def build_variant(name, image_size=None, dtype=None, fields=None, rematerialized=False):
    """A variant that gives logits, without stochastic depth, which would skip work: see `open_subject`."""
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in (fields or {}).items()}
    spec = dataclasses.replace(registry.get_spec(name), **fields)
    model = registry.build(
        spec, input_shape=input_shape(image_size), classifier_activation=None, drop_path_rate=0.0, dtype=dtype
    )
    if rematerialized:
        rematerialize(model)
    return model


def open_built(mark, name, *, image_size=None, dtype=None):
    """A variant that is built and does nothing: a maker for what building holds in memory."""
    mark("import")
    model = build_variant(name, image_size, dtype)
    mark("build")
    about = {"runtime": keras.backend.backend(), "parameters": model.count_params()}
    return {"calls": {}, "about": about, "device_peak": device_peak_bytes}


def _of_file(mark, model, batch_size, images):
    mark("build")
    size = input_size(model)
    batch = _batch(images, batch_size, size, takes_channels_first(model))
    return {
        "calls": {"run": lambda: model.predict_on_batch(batch)},
        "outputs": lambda answer: _shown(model.name, answer),
        "about": {"runtime": model.format.name, "image_size": size, "macs": None, "images_a_call": batch_size},
    }


def _batch(path, batch_size, size, channels_first):
    if path is None:
        batch = np.random.default_rng(0).standard_normal((batch_size, *size, COLOURS)).astype("float32")
    else:
        pictures = np.load(path)
        batch = np.resize(pictures, (batch_size, *pictures.shape[1:]))
    return np.ascontiguousarray(np.moveaxis(batch, -1, 1)) if channels_first else batch


def _labels(model, batch_size):
    return (np.arange(batch_size) % model.output_shape[-1]).astype("int32")


def _images_a_call(mode, batch_size):
    return batch_size * (FIT_STEPS if mode == "fit" else 1)


def _shown(name, answer):
    """The first rows of a batch's outputs, or the loss of a step."""
    if isinstance(answer, keras.callbacks.History):
        answer = answer.history["loss"]
    elif keras.ops.is_tensor(answer):
        answer = keras.ops.convert_to_numpy(keras.ops.cast(answer, "float32"))
    outputs = np.asarray(answer, "float32")
    if not np.isfinite(outputs).all():
        raise NotFinite(f"{name} answers NaN or infinity.")
    return outputs.reshape(len(outputs) if outputs.ndim > 1 else 1, -1)[:SHOWN_OUTPUTS]


def _macs(model, size):
    """Multiply-adds for one picture; None where the model has no spec."""
    spec = getattr(model, "spec", None)
    if spec is None:
        return None
    classes = model.output_shape[-1] if model.options.include_top else 0
    return registry.count(dataclasses.replace(spec, num_classes=classes), (*size, COLOURS)).macs


def input_shape(image_size):
    """Of a model for pictures of a size, in Keras' image data format."""
    if image_size is None:
        return None
    shape = tuple(image_size)
    return (COLOURS, *shape) if keras.config.image_data_format() == "channels_first" else (*shape, COLOURS)
