"""Small models with random weights, and what it means for two of them to be equal."""

import contextlib

import keras
import numpy as np
from running import randomize

import keras_coatnet as kc


def make(name="coatnet_0", input_shape=(64, 96, 3), num_classes=5, seed=0, **keywords):
    """A narrow twin with random weights."""
    stem = (4, 8) if kc.get_spec(name).family == "timm" else 8
    spec = kc.narrow(name, (1, 1, 2, 1), (8, 32, 32, 32), stem)
    keywords.setdefault("classifier_activation", None)
    if keywords.get("include_top", True):
        keywords["num_classes"] = num_classes
    model = kc.CoAtNet(spec, input_shape=input_shape, **keywords)
    randomize(model, seed)
    return model


def weights(model):
    """path -> array of every weight but the random states."""
    return {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.weights if "seed" not in weight.path}


def assert_same_weights(model, other):
    ours, theirs = weights(model), weights(other)
    assert ours.keys() == theirs.keys()
    for path, value in ours.items():
        np.testing.assert_array_equal(value, theirs[path], err_msg=path)


@contextlib.contextmanager
def untouched(model):
    """Checks at the end of the block that a model's weights are what they were."""
    before = weights(model)
    yield
    after = weights(model)
    assert before.keys() == after.keys()
    for path, value in before.items():
        np.testing.assert_array_equal(value, after[path], err_msg=path)
