"""`resize_model`: the same weights at another size."""

import keras
import numpy as np
import pytest
from checkpoints import assert_same_weights, make, untouched
from running import image, run

import keras_coatnet as kc

SHAPES = [(96, 64, 3), (None, None, 3)]


@pytest.mark.parametrize("input_shape", SHAPES)
@pytest.mark.parametrize("name", ["coatnet_0", "coatnet_rmlp_2_rw"])
def test_weights_are_those_that_a_file_would_bring(name, input_shape, tmp_path):
    model, loaded = make(name), make(name, input_shape=input_shape, seed=1)
    model.save_weights(tmp_path / "saved.weights.h5")
    loaded.load_weights(tmp_path / "saved.weights.h5")
    with untouched(model):
        resized = kc.resize_model(model, input_shape)
    assert_same_weights(loaded, resized)
    assert (resized.spec, resized.options, resized.name) == (model.spec, model.options, model.name)
    x = image((1, 96, 64, 3))
    np.testing.assert_array_equal(run(resized, x), run(loaded, x))


def test_the_same_size_gives_the_same_model():
    model = make(classifier_activation="softmax", dropout_rate=0.2)
    model.get_layer("stem").trainable = False
    copy = kc.resize_model(model, [64, 96, 3])
    assert_same_weights(model, copy)
    assert len(copy.trainable_weights) == len(model.trainable_weights)


def test_a_size_it_cannot_take_is_refused():
    with pytest.raises(ValueError, match=r"multiples of 32.*Nearest to 100: 96 or 128"):
        kc.resize_model(make("coatnet_0_rw"), (100, 96, 3))


def test_what_is_not_as_built_is_refused():
    model = make()
    outer = keras.Model(model.input, keras.layers.Dense(2)(model.output))
    with pytest.raises(ValueError, match="have a spec"):
        kc.resize_model(outer, (96, 64, 3))
    images = keras.Input((64, 96, 1))
    adapted = make(input_tensor=keras.layers.Conv2D(3, 1, name="adapter")(images), input_shape=None)
    with pytest.raises(ValueError, match="other layers: adapter"):
        kc.resize_model(adapted, (96, 64, 3))
