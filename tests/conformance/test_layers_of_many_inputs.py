"""What holds for layers with several inputs or outputs, tried inside a model of two scales."""

import keras
import numpy as np
import pytest
from layer_cases import OF_MANY
from running import image, quick_compilation, randomize, run
from two_scales import OPTIONS, SIDES, make

from keras_coatnet import layers
from keras_coatnet.layers.initializers import Normal


@pytest.fixture(autouse=True)
def _quick_compilation():
    with quick_compilation():
        yield


@pytest.fixture(params=OPTIONS)
def options(request):
    return OPTIONS[request.param]


def randomized(options, **keywords):
    model = make(*options, **keywords)
    randomize(model)
    return model


def outputs(model, x):
    return model.predict(x, verbose=0)


def images(sides=SIDES):
    return image((2, *sides, 8))


def test_the_model_has_every_layer_of_many_inputs():
    assert {type(layer) for layer in make(*OPTIONS["as_published"]).layers} >= OF_MANY


def test_file_clone_and_config_share_the_windows_as_the_model_does(options, tmp_path):
    model = randomized(options)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for found, expected in zip(outputs(again, images()), outputs(model, images()), strict=True):
        np.testing.assert_array_equal(found, expected)
    for copy in (again, keras.models.clone_model(model), keras.Model.from_config(model.get_config())):
        assert [weight.shape for weight in copy.weights] == [weight.shape for weight in model.weights]
        assert len({id(weight) for weight in copy.weights}) == len(model.weights)
        for layer in model.layers[1:]:
            assert copy.get_layer(layer.name).get_config() == layer.get_config()


def test_open_sides_give_the_same_output(options):
    model, open_model = randomized(options), make(*options, sides=(None, None))
    open_model.set_weights(model.get_weights())
    for found, expected in zip(outputs(open_model, images()), outputs(model, images()), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max(), rtol=0)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_is_close_to_float32(options, policy):
    model, half = randomized(options), make(*options, dtype=policy)
    half.set_weights(model.get_weights())
    assert {layer.compute_dtype for layer in half.layers[1:]} == {policy.removeprefix("mixed_")}
    for found, expected in zip(outputs(half, images()), outputs(model, images()), strict=True):
        assert np.isfinite(np.asarray(found, "float32")).all()
        assert np.abs(np.asarray(found, "float32") - expected).max() <= 0.1 * np.abs(expected).max()


def test_rows_of_a_batch_are_independent(options):
    model, x = randomized(options), images()
    other = x.copy()
    other[1] = image(x[1].shape, seed=7)
    for found, expected in zip(outputs(model, other), outputs(model, x), strict=True):
        np.testing.assert_allclose(found[0], expected[0], atol=1e-6 * np.abs(expected).max(), rtol=0)
        assert np.abs(found[1] - expected[1]).max() > 0


def test_every_sublayer_is_named_as_its_attribute(options):
    for layer in randomized(options).layers:
        for child in layer._layers:
            assert getattr(layer, child.name) is child


def test_windows_that_do_not_suit_the_heads_are_refused():
    with pytest.raises(ValueError, match=r"num_heads=8 heads together; got \(\(3, 2\), \(5, 3\)\)"):
        layers.ConvRelativePosition(windows=((3, 2), (5, 3)))
    with pytest.raises(ValueError, match="side must be odd; got 4"):
        layers.ConvRelativePosition(windows=((4, 8),))
    with pytest.raises(ValueError, match="multiple of num_heads=8; got 12"):
        layers.ConvRelativePosition()(keras.KerasTensor((2, 4, 6, 12)))


def test_parallel_block_refuses_maps_of_different_widths():
    maps = [keras.Input((4, 6, width)) for width in (8, 16)]
    tokens = [keras.Input((1, width)) for width in (8, 16)]
    windows = [layers.ConvRelativePosition()(x) for x in maps]
    with pytest.raises(ValueError, match=r"of one width; got widths \[8, 16\]"):
        layers.ParallelBlock(scales=(1, 2))(maps, tokens, windows)


def test_windows_need_the_sides_of_their_map():
    tokens = image((2, 7, 8))
    windows = layers.ConvRelativePosition()(image((2, 2, 3, 8)))
    with pytest.raises(ValueError, match="windows need the sides"):
        layers.FactorizedAttention()(tokens, windows)


def test_stochastic_depth_drops_whole_images_of_each_branch():
    inputs = keras.Input((4, 6, 8))
    windows = layers.ConvRelativePosition()(inputs)
    token = layers.ClassToken()(inputs)
    block = layers.SerialBlock(drop_path_rate=0.5, kernel_initializer=Normal(0.5))
    model = keras.Model(inputs, block(inputs, token, windows)[0])
    x = image((64, 4, 6, 8))
    changed = np.abs(run(model, x, training=True) - x).max((1, 2, 3)) > 1e-6
    # Both branches are dropped in a quarter of the images.
    assert 32 < changed.sum() < 62
