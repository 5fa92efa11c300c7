"""Any model becomes one of float32, at its size, without norms, with the inputs that were asked for."""

import keras
import numpy as np
import pytest
from running import image, randomize, run
from small_models import CLASSES, SIDE, tiny, twin

from keras_coatnet.deploy.pixels import as_bytes, as_floats
from keras_coatnet.deploy.prepare import as_float32, at_size, float32_config, with_byte_inputs, without_norms
from keras_coatnet.deploy.request import Request
from keras_coatnet.images.preprocess import Preprocessing


def dtypes(model):
    """All dtypes that layers of a model compute and store in."""
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.Layer)]
    return {name for layer in layers for name in (layer.compute_dtype, layer.variable_dtype)}


def nested(dtype):
    """A model of ours inside another."""
    inputs = keras.Input((SIDE, SIDE, 3))
    backbone = twin(include_top=False, pooling="avg", dtype=dtype)
    model = keras.Model(inputs, keras.layers.Dense(CLASSES, dtype=dtype)(backbone(inputs)))
    randomize(model)
    return model


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "bfloat16"])
def test_half_precision_becomes_float32_with_the_same_weights(dtype):
    model = twin(dtype=dtype)
    found = as_float32(model)
    assert dtypes(found) == {"float32"}
    assert found.options.dtype.name == "float32"
    for ours, theirs in zip(found.weights, model.weights, strict=True):
        stored = keras.ops.convert_to_numpy(keras.ops.cast(theirs, "float32"))
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(ours), stored)


def test_nested_model_becomes_float32_and_the_users_own_stays():
    model = nested("mixed_bfloat16")
    found = as_float32(model)
    assert dtypes(found) == {"float32"}
    assert "bfloat16" in dtypes(model)


def test_what_is_known_of_the_weights_comes_along():
    model = twin()
    model.origin = {"name": "mine", "labels": None}
    assert as_float32(model).origin == model.origin


def test_only_dtypes_are_replaced():
    config = {"dtype": {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}, "name": "float16"}
    assert float32_config(config) == {
        "dtype": {"class_name": "DTypePolicy", "config": {"name": "float32"}},
        "name": "float16",
    }
    assert float32_config([{"dtype": "uint8"}, ({"dtype": "float16"},)]) == [
        {"dtype": "uint8"},
        ({"dtype": "float32"},),
    ]


def test_layers_without_a_config_are_refused_by_name():
    class Opaque(keras.layers.Layer):
        def __init__(self, secret):
            super().__init__()
            self.secret = secret

        def call(self, x):
            return x * 2

    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, Opaque(object())(inputs), name="mine")
    with pytest.raises(ValueError, match="'mine' cannot be made again from its config"):
        as_float32(model)


def test_ours_are_resized_by_their_rule_and_others_stay():
    model = twin()
    assert at_size(model, (SIDE, SIDE)) is model
    assert at_size(model, None) is model
    assert at_size(model, (64, 96)).input_shape == (None, 64, 96, 3)


def test_open_sides_of_any_model_can_be_closed():
    model = tiny((None, None, 3))
    closed = at_size(model, (8, 12))
    assert closed.input_shape == (None, 8, 12, 3)
    x = image((2, 8, 12, 3))
    np.testing.assert_allclose(run(closed, x), run(model, x), atol=1e-6)


def test_models_of_ours_lose_their_norms_and_others_keep_them():
    fused, is_fused = without_norms(twin())
    assert is_fused
    assert fused.spec.folded
    for model in (nested("float32"), tiny(), twin(input_tensor=keras.layers.Rescaling(2.0)(keras.Input((32, 32, 3))))):
        kept, is_fused = without_norms(model)
        assert kept is model
        assert not is_fused


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_bytes_are_normalised_inside(data_format):
    first = data_format == "channels_first"
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(data_format)
    try:
        shape = (3, 4, 6) if first else (4, 6, 3)
        inputs = keras.Input(shape)
        identity = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
        preprocessing = Preprocessing((0.5, 0.4, 0.3), (0.1, 0.2, 0.3))
        model = with_byte_inputs(identity, Request("onnx", inputs="uint8", preprocessing=preprocessing))
        pictures = np.random.default_rng(0).integers(0, 256, (2, *shape), dtype=np.uint8)
        found = run(model, pictures)
    finally:
        keras.config.set_image_data_format(before)
    expected = as_floats(pictures, preprocessing, first)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(as_bytes(expected, preprocessing, first), pictures)


def test_a_saved_model_prepares_pictures_itself():
    model = tiny()
    for request in (Request("saved_model", inputs="uint8"), Request("onnx")):
        assert with_byte_inputs(model, request) is model
