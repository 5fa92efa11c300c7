"""What users of keras.applications expect of a builder: its own tests, ported, and its ways with sizes and names."""

import keras
import numpy as np
import pytest
from narrow_twins import narrow_twin
from running import image, randomize, run

import keras_coatnet as kc

DEFAULT = narrow_twin("coatnet_0")
PAPER = narrow_twin("coatnet_0_paper")
TIMM = narrow_twin("coatnet_0_rw")
FAMILIES = {"coatnet": DEFAULT, "paper": PAPER, "timm": TIMM}
LAST_WIDTH = 64


@pytest.fixture(params=["channels_last", "channels_first"])
def image_data_format(request):
    """Keras' global image data format, put back behind the test."""
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(request.param)
    yield request.param
    keras.config.set_image_data_format(before)


def in_format(image_data_format, height, width, channels):
    return (channels, height, width) if image_data_format == "channels_first" else (height, width, channels)


# What the tests of keras.applications hold its builders to.


@pytest.mark.parametrize("spec", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("channels", [1, 4])
def test_open_size_takes_any_number_of_channels(spec, channels, image_data_format):
    shape = in_format(image_data_format, None, None, channels)
    model = kc.CoAtNet(spec, include_top=False, input_shape=shape)
    assert model.input_shape == (None, *shape)
    assert model.output_shape == (None, *in_format(image_data_format, None, None, LAST_WIDTH))


@pytest.mark.parametrize("spec", [DEFAULT, PAPER], ids=["coatnet", "paper"])
def test_odd_size_without_a_top_gives_the_last_map(spec, image_data_format):
    model = kc.CoAtNet(spec, include_top=False, input_shape=in_format(image_data_format, 123, 123, 3))
    assert model.output_shape == (None, *in_format(image_data_format, 4, 4, LAST_WIDTH))


@pytest.mark.parametrize("spec", [DEFAULT, PAPER], ids=["coatnet", "paper"])
def test_model_stands_on_another_layer(spec, image_data_format):
    images = keras.Input(in_format(image_data_format, 80, 120, 4), name="photos")
    halved = keras.layers.MaxPooling2D(2, name="halve")(images)
    model = kc.CoAtNet(spec, include_top=False, input_tensor=halved)
    assert [tensor.name for tensor in model.inputs] == ["photos"]
    assert model.output_shape == (None, *in_format(image_data_format, 2, 2, LAST_WIDTH))
    assert "halve" in [layer.name for layer in model.layers]


@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_pooling_gives_one_value_a_channel(pooling, image_data_format):
    model = kc.CoAtNet(DEFAULT, include_top=False, pooling=pooling)
    assert model.output_shape == (None, LAST_WIDTH)
    assert model.layers[-1].name == f"{pooling}_pool"


def test_default_arguments_are_the_variants_own(image_data_format):
    model = kc.CoAtNet(DEFAULT)
    assert model.input_shape == (None, *in_format(image_data_format, 224, 224, 3))
    assert model.output_shape == (None, 1000)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "linear"])
def test_last_layer_has_the_activation_asked_for(activation):
    model = kc.CoAtNet(DEFAULT, classifier_activation=activation, input_shape=(32, 48, 3))
    assert model.layers[-1].activation.__name__ == activation


def test_no_activation_gives_logits():
    logits = kc.CoAtNet(DEFAULT, classifier_activation=None, num_classes=3, input_shape=(32, 48, 3))
    probabilities = kc.CoAtNet(DEFAULT, num_classes=3, input_shape=(32, 48, 3))
    randomize(logits)
    probabilities.set_weights(logits.get_weights())
    x = image((2, 32, 48, 3))
    expected = np.exp(run(logits, x))
    np.testing.assert_allclose(run(probabilities, x), expected / expected.sum(-1, keepdims=True), rtol=1e-4)


def test_model_survives_serialisation(image_data_format):
    shape = in_format(image_data_format, 32, 48, 3)
    model = kc.CoAtNet(PAPER, input_shape=shape, num_classes=5, classifier_activation=keras.activations.sigmoid)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    assert [weight.path for weight in again.weights] == [weight.path for weight in model.weights]
    assert again.spec == model.spec
    assert again.get_config()["options"] == model.get_config()["options"]


# Sizes, data formats and names.


@pytest.mark.parametrize("shape", [(32, 48, 3), [32, 48, 3]])
def test_input_shape_is_a_tuple_or_a_list(shape):
    assert kc.CoAtNet(DEFAULT, input_shape=shape).input_shape == (None, 32, 48, 3)


def test_channels_first_gives_the_numbers_of_channels_last():
    x = image((2, 32, 48, 3))
    last = kc.CoAtNet(DEFAULT, include_top=False, input_shape=(32, 48, 3))
    randomize(last)
    expected = run(last, x)
    keras.config.set_image_data_format("channels_first")
    try:
        first = kc.CoAtNet(DEFAULT, include_top=False, input_shape=(3, 32, 48))
        first.set_weights(last.get_weights())
        found = run(first, x.transpose(0, 3, 1, 2))
    finally:
        keras.config.set_image_data_format("channels_last")
    np.testing.assert_allclose(found.transpose(0, 2, 3, 1), expected, atol=1e-5)


def test_name_is_the_variants_or_ones_own():
    assert kc.CoAtNet(DEFAULT, input_shape=(32, 32, 3)).name == "coatnet_0"
    assert kc.CoAtNet(DEFAULT, input_shape=(32, 32, 3), name="mine").name == "mine"


def test_input_tensor_of_numbers_gives_its_shape():
    model = kc.CoAtNet(DEFAULT, input_tensor=image((2, 32, 48, 4)), include_top=False)
    assert model.input_shape == (None, 32, 48, 4)


def test_layers_read_as_the_papers_table():
    names = [layer.name for layer in kc.CoAtNet(PAPER, input_shape=(32, 48, 3)).layers]
    assert names == [
        "images",
        "stem",
        "stage1_block1",
        "stage2_block1",
        "stage3_block1",
        "stage4_block1",
        "avg_pool",
        "head_norm",
        "pre_logits",
        "head_dropout",
        "predictions",
    ]


@pytest.mark.parametrize(
    ("spec", "names"),
    [(DEFAULT, ["stage4_block1"]), (PAPER, ["stage4_block1"]), (TIMM, ["stage4_block1", "head_norm"])],
    ids=FAMILIES,
)
def test_without_a_top_the_last_map_is_normed_where_the_family_norms_before_pooling(spec, names):
    model = kc.CoAtNet(spec, include_top=False, input_shape=(32, 64, 3))
    assert [layer.name for layer in model.layers][-len(names) :] == names
