"""The builder: what it refuses, its named entry points, its rates, and what a model remembers and hands out."""

import inspect

import keras
import numpy as np
import pytest
from narrow_twins import narrow_twin
from running import image, quick_compilation, randomize, run

import keras_coatnet as kc
from keras_coatnet.families import entry

DEFAULT = narrow_twin("coatnet_0")
TIMM = narrow_twin("coatnet_0_rw")
LAST_WIDTH = 64


# What cannot be is refused before anything is built.


@pytest.fixture
def _nothing_is_built(monkeypatch):
    """Making any layer fails."""

    def refuse(*args, **keywords):
        raise AssertionError("a layer was made before the arguments were checked")

    monkeypatch.setattr(keras.layers.Layer, "__init__", refuse)


REFUSED = [
    ({"pooling": "average"}, r"pooling must be one of None, 'avg', 'max'; got 'average'"),
    ({"input_shape": (31, 64, 3)}, r"at least 32 pixels a side; got 31 x 64"),
    ({"input_shape": (64, 64)}, r"input_shape must have three entries, \(height, width, channels\).*got \(64, 64\)"),
    ({"input_shape": (1, 64, 64, 3)}, r"input_shape must have three entries.*got \(1, 64, 64, 3\)"),
    ({"input_shape": (64, 64, None)}, r"must say the number of channels, at least 1; got \(64, 64, None\)"),
    ({"input_shape": (64, 64, 0)}, r"must say the number of channels, at least 1; got \(64, 64, 0\)"),
    ({"input_shape": (64.5, 64, 3)}, r"whole numbers, or None for any; got 64.5 x 64"),
    ({"input_tensor": np.zeros((64, 64, 3))}, r"input_tensor, behind its batch, must have three entries.*\(64, 3\)"),
    (
        {"input_tensor": np.zeros((1, 64, 48, 3)), "input_shape": (64, 64, 3)},
        r"that of input_tensor, \(64, 48, 3\); got",
    ),
    ({"num_classes": 0}, r"num_classes must be at least 1 with a top; got 0"),
    ({"num_classes": -1}, r"num_classes must be a whole number from 1 up; got -1"),
    ({"num_classes": -1, "include_top": False}, r"num_classes must be a whole number from 1 up; got -1"),
    ({"drop_path_rate": 1.0}, r"drop_path_rate must be at least 0 and below 1; got 1.0"),
    ({"dropout_rate": -0.1}, r"dropout_rate must be at least 0 and below 1; got -0.1"),
    ({"attention_dropout_rate": 2}, r"attention_dropout_rate must be at least 0 and below 1; got 2"),
    ({"mlp_dropout_rate": 1}, r"mlp_dropout_rate must be at least 0 and below 1; got 1"),
    ({"classifier_activation": "softmx"}, r"classifier_activation must be .*got 'softmx'. Nearest: softmax"),
    ({"pretrained": "no such file.h5"}, r"pretrained for coatnet_0 must be .*got 'no such file.h5'"),
]


@pytest.mark.usefixtures("_nothing_is_built")
@pytest.mark.parametrize(
    ("keywords", "message"), REFUSED, ids=[" ".join(row[0]) + str(i) for i, row in enumerate(REFUSED)]
)
def test_wrong_argument_is_refused_before_a_layer_is_made(keywords, message):
    with pytest.raises(ValueError, match=message):
        kc.CoAtNet(DEFAULT, **keywords)


@pytest.mark.usefixtures("_nothing_is_built")
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_heads": 0}, "num_heads of coatnet_custom must be whole and above 0; got 0"),
        ({"head_dim": 64}, "at least one attention head; got 0: its input width is 32 and head_dim is 64"),
        ({"drop_path_rate": 1.0}, "drop_path_rate of coatnet_custom must be at least 0 and below 1; got 1.0"),
        ({"layout": "CAT"}, "layout of coatnet_custom must have one entry a stage"),
        ({"input_size": 16}, "coatnet_custom takes images of at least 32 pixels a side; got 16 x 16"),
    ],
)
def test_spec_that_cannot_be_is_refused_before_a_layer_is_made(fields, message):
    spec = kc.coatnet_spec((1, 1), (32, 64), 8, **fields)
    with pytest.raises(ValueError, match=message):
        kc.CoAtNet(spec)


@pytest.mark.usefixtures("_nothing_is_built")
def test_open_rank_in_channels_first_is_refused_in_its_own_order():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(
            ValueError, match=r"three entries, \(channels, height, width\), and no batch; got \(3, 64\)"
        ):
            kc.CoAtNet(DEFAULT, input_shape=(3, 64))
    finally:
        keras.config.set_image_data_format("channels_last")


@pytest.mark.usefixtures("_nothing_is_built")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("coatnet0", "Unknown CoAtNet variant 'coatnet0'. Nearest: coatnet_0"),
        ("CoAtNet_1_rw", "Unknown CoAtNet variant 'CoAtNet_1_rw'. Nearest: coatnet_1_rw"),
        ("vgg", r"Unknown CoAtNet variant 'vgg'. list_variants\(\) names all"),
    ],
)
def test_unknown_variant_is_refused_with_the_nearest(name, message):
    with pytest.raises(ValueError, match=message):
        kc.CoAtNet(name)


def test_a_variant_is_a_name_or_a_spec():
    with pytest.raises(TypeError, match="A variant is a name or a CoAtNetSpec; got int"):
        kc.CoAtNet(0)


def test_unknown_and_missing_arguments_are_refused_as_python_does():
    with pytest.raises(TypeError, match=r"CoAtNet\(\) got an unexpected keyword argument 'poling'"):
        kc.CoAtNet(DEFAULT, poling="avg")
    with pytest.raises(TypeError, match=r"CoAtNet\(\) missing a required argument: 'spec_or_name'"):
        kc.CoAtNet()


def test_open_size_meets_an_image_that_does_not_fit_with_the_nearest_sizes():
    model = kc.CoAtNet(TIMM, include_top=False, input_shape=(None, None, 3))
    with pytest.raises(ValueError, match=r"multiples of 32; got 64 x 80\. Nearest to 80: 64 or 96"):
        model(image((1, 64, 80, 3)))
    with pytest.raises(ValueError, match=r"multiples of 32; got 80 x 64\. Nearest to 80: 64 or 96"):
        model.predict(image((1, 80, 64, 3)), verbose=0)


def test_open_size_behind_other_layers_is_theirs_to_know():
    images = keras.Input((None, None, 3))
    padded = keras.layers.ZeroPadding2D(((0, 0), (0, 16)))(images)
    model = kc.CoAtNet(TIMM, include_top=False, input_tensor=padded)
    assert run(model, image((1, 32, 48, 3))).shape == (1, 1, 2, LAST_WIDTH)


# Named entry points.

NAMED = {f"CoAtNet{size}": f"coatnet_{size.lower()}" for size in ("T", *"01234567")}


@pytest.mark.parametrize("name", NAMED)
def test_named_entry_point_is_the_builder_with_its_variant(name, monkeypatch):
    calls = []
    monkeypatch.setattr(entry, "make_model", lambda *arguments, **keywords: calls.append(arguments))
    getattr(kc, name)(pooling="avg", include_top=False)
    ((_, _, spec, options),) = calls
    assert (spec.name, options.pooling, options.include_top) == (NAMED[name], "avg", False)


@pytest.mark.parametrize("name", NAMED)
def test_named_entry_point_shows_the_builders_keywords(name):
    function = getattr(kc, name)
    assert function.__name__ == name
    assert NAMED[name] in function.__doc__
    assert list(inspect.signature(function).parameters) == list(inspect.signature(kc.CoAtNet).parameters)[1:]


# Rates.


def rates(model, *path):
    """A rate of every block that has that sub-layer."""
    found = []
    for layer in model.layers:
        for part in path:
            layer = getattr(layer, part, None)
        if layer is not None:
            found.append(layer.rate)
    return found


def test_published_stochastic_depth_is_the_default_and_grows_linearly():
    spec = narrow_twin("coatnet_1")
    assert spec.drop_path_rate == 0.3
    published = kc.CoAtNet(spec, input_shape=(32, 48, 3))
    assert rates(published, "drop_path") + rates(published, "mlp_drop_path") == pytest.approx([0, 0.075, 0.15, 0.225])
    assert rates(published, "attention_drop_path") == rates(published, "mlp_drop_path")
    chosen = kc.CoAtNet(spec, input_shape=(32, 48, 3), drop_path_rate=0.0)
    assert set(rates(chosen, "drop_path") + rates(chosen, "mlp_drop_path")) == {0.0}


def test_dropout_rates_reach_their_layers():
    model = kc.CoAtNet(
        DEFAULT, input_shape=(32, 48, 3), dropout_rate=0.1, attention_dropout_rate=0.2, mlp_dropout_rate=0.3
    )
    assert model.get_layer("head_dropout").rate == 0.1
    assert rates(model, "attention", "attention_dropout") == [0.2, 0.2]
    assert rates(model, "attention", "dropout") == rates(model, "mlp_dropout") == [0.3, 0.3]


def test_rates_act_in_training_alone():
    model = kc.CoAtNet(
        DEFAULT,
        input_shape=(32, 48, 3),
        num_classes=4,
        attention_dropout_rate=0.5,
        mlp_dropout_rate=0.5,
        dropout_rate=0.5,
    )
    randomize_but_seeds(model)
    x = image((2, 32, 48, 3))
    np.testing.assert_array_equal(run(model, x), run(model, x))
    assert np.abs(run(model, x, training=True) - run(model, x, training=True)).max() > 1e-3


def randomize_but_seeds(model):
    seeds = {id(weight): weight.numpy() for weight in model.weights if "seed" in weight.path}
    randomize(model)
    for weight in model.weights:
        if id(weight) in seeds:
            weight.assign(seeds[id(weight)])


# What a model remembers and hands out.


def test_hidden_head_has_its_width_and_activation():
    spec = kc.coatnet_spec((1,), (8,), 8, layout="C", hidden_head=12, hidden_head_activation="relu")
    layer = kc.CoAtNet(spec, input_shape=(32, 32, 3)).get_layer("pre_logits")
    assert (layer.units, layer.activation.__name__) == (12, "relu")


def test_copy_by_config_remembers_its_spec():
    model = kc.CoAtNet(DEFAULT, input_shape=(32, 48, 3))
    copy = model.__class__.from_config(model.get_config())
    assert copy.spec == model.spec
    assert list(copy.pyramid_outputs) == list(model.pyramid_outputs)


def test_clone_that_keras_makes_without_a_spec_says_how_to_make_one_with_it():
    clone = keras.models.clone_model(kc.CoAtNet(DEFAULT, input_shape=(32, 48, 3)))
    with pytest.raises(ValueError, match=r"clone_model.*from_config\(model.get_config\(\)\)"):
        _ = clone.pyramid_outputs


def test_pyramid_has_the_last_map_of_each_stride():
    pyramid = kc.CoAtNet(DEFAULT, input_shape=(64, 96, 3)).pyramid_outputs
    assert {name: tensor.shape[1:3] for name, tensor in pyramid.items()} == {
        "P1": (32, 48),
        "P2": (16, 24),
        "P3": (8, 12),
        "P4": (4, 6),
        "P5": (2, 3),
    }


def test_pyramid_of_a_mixed_stage_has_its_attention_map():
    model = kc.CoAtNet(narrow_twin("coatnet_6"), input_shape=(64, 96, 3))
    assert list(model.pyramid_outputs) == ["P1", "P2", "P3", "P4", "P5"]
    assert model.pyramid_outputs["P4"] is model.get_layer("stage4_block1").output


def test_pyramid_of_one_resolution_has_one_map():
    model = kc.CoAtNet(narrow_twin("vit_rel_0_paper"), input_shape=(64, 96, 3))
    assert {name: tensor.shape for name, tensor in model.pyramid_outputs.items()} == {"P4": (None, 4, 6, 64)}


def test_stage_outputs_are_the_maps_behind_stem_and_stages():
    model = kc.CoAtNet(DEFAULT, input_shape=(32, 48, 3))
    randomize(model)
    x = image((2, 32, 48, 3))
    with quick_compilation():
        maps = kc.stage_outputs(model).predict(x, verbose=0)
    assert [stage.shape for stage in maps] == [
        (2, 16, 24, 8),
        (2, 8, 12, 16),
        (2, 4, 6, 32),
        (2, 2, 3, 32),
        (2, 1, 2, 64),
    ]
    np.testing.assert_allclose(run(model.get_layer("predictions"), maps[-1].mean((1, 2))), run(model, x), atol=1e-5)


def test_stage_outputs_need_no_top():
    model = kc.CoAtNet(TIMM, include_top=False, input_shape=(32, 64, 3))
    assert [tensor.shape[-1] for tensor in kc.stage_outputs(model).outputs] == [16, 16, 32, 32, 64]


def test_fit_trains_a_model_and_keeps_it_finite():
    model = kc.CoAtNet(DEFAULT, input_shape=(32, 48, 3), num_classes=2)
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = model.get_layer("predictions").kernel.numpy()
    with quick_compilation():
        losses = model.fit(image((4, 32, 48, 3)), np.array([0, 1, 0, 1]), batch_size=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert np.abs(model.get_layer("predictions").kernel.numpy() - before).max() > 0
