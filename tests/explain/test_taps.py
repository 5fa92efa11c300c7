"""Layers watched while a model runs, and left as they were."""

import threading

import keras
import numpy as np
import pytest
from explained_models import corner_reader
from running import to_numpy

from keras_coatnet.explain.taps import last_layer, tapped, without_activation


@pytest.fixture(scope="module")
def model():
    return corner_reader()


IMAGES = np.ones((1, 8, 10, 3), "float32")


def test_calls_are_seen_and_changed_inside_only(model):
    layer, seen = model.get_layer("map"), []
    plain = to_numpy(model(IMAGES))

    def see(watched, result, *arguments, **keywords):
        seen.append((watched.name, arguments[0].shape))
        return result * 0

    with tapped([layer], see):
        changed = to_numpy(model(IMAGES))
    assert seen == [("map", (1, 8, 10, 3))]
    assert np.abs(changed - plain).max() > 1e-3
    np.testing.assert_array_equal(to_numpy(model(IMAGES)), plain)
    assert "call" not in vars(layer)


def test_layers_are_left_as_they_were_after_an_error(model):
    def fail(*_, **__):
        raise KeyError("seen")

    with pytest.raises(KeyError), tapped([model.get_layer("map")], fail):
        model(IMAGES)
    model(IMAGES)


def test_what_other_threads_do_is_not_changed(model):
    plain, found = to_numpy(model(IMAGES)), []
    with tapped([model.get_layer("map")], lambda _, result, *__, **___: result * 0):
        other = threading.Thread(target=lambda: found.append(to_numpy(model(IMAGES))))
        other.start()
        other.join()
    np.testing.assert_allclose(found[0], plain, atol=1e-6)


def test_last_activation_is_left_out_inside_only(model):
    with without_activation(model) as activation:
        scores = model(IMAGES)
    assert activation is keras.activations.softmax
    assert model.get_layer("classes").activation is keras.activations.softmax
    np.testing.assert_allclose(to_numpy(activation(scores)), to_numpy(model(IMAGES)), atol=1e-6)


def test_last_layer_is_found_inside_models_within():
    outer = keras.Sequential([keras.Input((8, 10, 3)), corner_reader()])
    assert last_layer(outer).name == "classes"
