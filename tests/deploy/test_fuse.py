"""Fusing: the same function on every variant, and nothing left that could go."""

import dataclasses

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from narrow_twins import forms, narrow_twin
from running import BACKEND, image, randomize, run

import keras_coatnet as kc
from keras_coatnet.coatnet.fusion import fold_spec
from keras_coatnet.deploy.fuse import fuse

SIDES = (64, 96)
# JAX compiles each of these for seconds; the arithmetic is NumPy's on every backend.
FORMS = forms() if BACKEND == "torch" else ["coatnet_0", "coatnet_0_exp8", "coatnet_0_rw", "coatnet_rmlp_2_rw"]
# Of a model's logits, whatever its statistics are: the bar is 1e-4 for whole models.
TOLERANCE = 1e-5


def trained(spec, shape=(*SIDES, 3), **options):
    """A model whose weights and statistics are nothing special: scales of both signs among them."""
    model = kc.CoAtNet(spec, input_shape=shape, **{"classifier_activation": None, **options})
    randomize(model)
    generator = np.random.default_rng(1)
    for weight in model.weights:
        if weight.name == "gamma":
            weight.assign(np.asarray(weight) * generator.choice([-1.0, 1.0], weight.shape))
    return model


def assert_same_function(model, fused, shape=(2, *SIDES, 3)):
    expected, found = run(model, image(shape)), run(fused, image(shape))
    assert np.abs(found - expected).max() <= TOLERANCE * expected.std()


def norms(model, kind):
    return [layer.path for layer in model._flatten_layers() if isinstance(layer, kind)]


@pytest.mark.parametrize("name", FORMS)
def test_fused_twin_gives_the_same_logits(name):
    model = trained(narrow_twin(name, extra_depth=1))
    assert_same_function(model, fuse(model))


@pytest.mark.parametrize("name", kc.list_variants() if BACKEND == "torch" else FORMS)
def test_no_batch_norm_stays_and_the_arithmetic_count_is_right(name):
    model = kc.CoAtNet(narrow_twin(name), input_shape=(*SIDES, 3))
    fused = fuse(model)
    assert norms(fused, keras.layers.BatchNormalization) == []
    counted = kc.count(fused.spec, (*SIDES, 3))
    assert counted.parameters == fused.count_params() == fused.fusion.after.parameters
    assert counted.trainable == sum(np.prod(weight.shape) for weight in fused.trainable_weights)
    assert fused.fusion.after.layers <= fused.fusion.before.layers


FIELDS = {
    "convolution_norm": st.sampled_from(["batch", "layer"]),
    "transformer_norm": st.sampled_from(["batch", "layer"]),
    "activation_first": st.booleans(),
    "convolution_prenorm_activation": st.booleans(),
    "transformer_prenorm_activation": st.booleans(),
    "prenorm_shortcut": st.booleans(),
    "project_first_shortcut": st.booleans(),
    "stride_in": st.sampled_from(["depthwise", "expand", "pool"]),
    "branch_pool": st.sampled_from(["max", "average", "max3x3"]),
    "convolution_pool": st.sampled_from(["max", "average"]),
    "transformer_pool": st.sampled_from(["max", "average", "max3x3"]),
    "se_ratio": st.sampled_from([0.0, 0.25]),
    "se_place": st.sampled_from(["before_norm", "after_norm"]),
    "convolution_block": st.sampled_from(["mbconv", "convnext"]),
    "convolution_layer_scale": st.sampled_from([None, 0.1]),
    "transformer_layer_scale": st.sampled_from([None, 0.1]),
    "qkv_bias": st.booleans(),
    "attention_output_bias": st.booleans(),
    "mlp_bias": st.booleans(),
    "convolution_projection_bias": st.booleans(),
    "convolution_shortcut_bias": st.booleans(),
    "transformer_shortcut_bias": st.booleans(),
    "relative_position": st.sampled_from(["table", "mlp", None]),
    "bias_place": st.sampled_from(["before_softmax", "after_softmax"]),
    "head_norm": st.sampled_from([None, "before_pool", "after_pool"]),
    "hidden_head": st.booleans(),
    "padding": st.sampled_from(["symmetric", "same"]),
}


@pytest.mark.skipif(BACKEND != "torch", reason="the fields decide on arithmetic in NumPy, the same on every backend")
@given(fields=st.fixed_dictionaries(FIELDS))
@settings(max_examples=25, deadline=None)
def test_any_row_gives_the_same_logits(fields):
    spec = kc.coatnet_spec(
        (1, 2, 1), (16, 16, 32), 8, layout=("C", "CT", "T"), head_dim=8, num_classes=5, se_divisor=1, **fields
    )
    model = trained(spec, (32, 64, 3))
    assert_same_function(model, fuse(model), (2, 32, 64, 3))


def test_report_says_what_stays_and_why():
    fusion = fuse(trained(narrow_twin("coatnet_0"))).fusion
    assert fusion.stays == {
        "scale and shift of stage3_block1/attention_norm": "a max pool stands between it and the attention",
        "scale and shift of stage4_block1/attention_norm": "a max pool stands between it and the attention",
    }
    text = str(fusion)
    assert text.splitlines()[0].split() == ["coatnet_0", "fused", "before", "after"]
    assert "stays: scale and shift of stage3_block1/attention_norm, since a max pool stands" in text
    assert f"{fusion.after.parameters:,}" in text


def test_activation_behind_the_opening_norm_keeps_a_multiply_add():
    fusion = fuse(trained(narrow_twin("coatnet_0_rw"))).fusion
    assert set(fusion.stays.values()) == {"an activation stands behind it"}
    assert all(what.endswith("/prenorm") for what in fusion.stays)


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"include_top": False}, (*SIDES, 3)),
        ({"include_top": False, "pooling": "max"}, (*SIDES, 3)),
        ({"num_classes": 2}, (*SIDES, 1)),
    ],
    ids=str,
)
def test_heads_of_all_kinds_keep_their_function(options, shape):
    model = trained(narrow_twin("coatnet_bn_0_rw"), shape, **options)
    assert_same_function(model, fuse(model), (2, *shape))


def test_sizes_stay_open_where_they_were():
    model = trained(narrow_twin("coatnet_rmlp_nano_rw"), (None, None, 3))
    fused = fuse(model)
    assert fused.spec.relative_position == "mlp"
    assert fused.fusion.after.macs is None
    assert_same_function(model, fused)
    assert_same_function(model, fused, (1, 64, 64, 3))


@pytest.mark.parametrize(("name", "relative_position"), [("coatnet_0", "constant"), ("coatnet_0_rw", "table")])
def test_bias_becomes_a_constant_where_that_adds_under_a_tenth(name, relative_position):
    # Seven blocks of attention at 14 x 14 are 11.8% of coatnet_0_rw, five of them 9.4% of coatnet_0.
    assert fold_spec(kc.get_spec(name), (224, 224), kc.count(name).parameters).relative_position == relative_position


def test_network_of_positions_becomes_a_table_where_a_constant_is_too_large():
    spec = dataclasses.replace(narrow_twin("coatnet_rmlp_nano_rw"), position_hidden_width=4, num_classes=2)
    model = trained(spec, (256, 256, 3))
    fused = fuse(model)
    assert fused.spec.relative_position == "table"
    assert_same_function(model, fused, (1, 256, 256, 3))


def test_keras_file_brings_a_fused_model_back(tmp_path):
    fused = fuse(trained(narrow_twin("coatnet_rmlp_2_rw")))
    fused.save(tmp_path / "fused.keras")
    again = keras.models.load_model(tmp_path / "fused.keras")
    assert again.spec == fused.spec
    assert again.spec.folded
    for ours, theirs in zip(fused.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_own_checkpoint_fills_a_fused_model(tmp_path):
    fused = fuse(trained(narrow_twin("coatnet_0")))
    kc.save_checkpoint(fused, tmp_path / "fused.weights.h5")
    again = kc.CoAtNet(fused.spec, input_shape=(*SIDES, 3), pretrained=str(tmp_path / "fused.weights.h5"))
    for ours, theirs in zip(fused.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_mixed_precision_is_kept():
    model = trained(narrow_twin("coatnet_0"), dtype="mixed_bfloat16")
    fused = fuse(model)
    assert fused.options == model.options
    expected, found = run(model, image((2, *SIDES, 3))), run(fused, image((2, *SIDES, 3)))
    assert np.abs(found - expected).max() <= 0.2 * expected.std()


def test_original_is_left_alone():
    model = trained(narrow_twin("coatnet_0"))
    before = [np.array(weight) for weight in model.get_weights()]
    model.origin = {"name": "own", "labels": None}
    assert fuse(model).origin == model.origin
    for ours, theirs in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not model.spec.folded


def test_fused_model_is_returned_as_it_is():
    fused = fuse(trained(narrow_twin("coatnet_0")))
    assert fuse(fused) is fused


def test_model_without_a_spec_is_refused():
    inputs = keras.Input((8,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs), name="mine")
    with pytest.raises(ValueError, match="Only models of this package, which have a spec, are fused; 'mine' has none"):
        fuse(model)


def test_model_with_layers_in_front_is_refused():
    inputs = keras.Input((*SIDES, 3))
    scaled = keras.layers.Rescaling(1 / 255, name="scaling")(inputs)
    model = kc.CoAtNet(narrow_twin("coatnet_0"), input_tensor=scaled)
    with pytest.raises(ValueError, match="A model is fused as it was built; 'coatnet_0' has other layers: scaling"):
        fuse(model)


# Keras quantizes Dense and warns of every other kind of layer.
@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method implemented:UserWarning")
def test_quantized_model_is_refused():
    model = trained(narrow_twin("coatnet_0"))
    model.quantize("int8")
    with pytest.raises(ValueError, match=r"'coatnet_0' is quantized \(int8\).*Fuse it, then quantize"):
        fuse(model)


def test_fused_model_of_one_size_is_not_resized():
    fused = fuse(trained(narrow_twin("coatnet_0")))
    assert fused.spec.relative_position == "constant"
    with pytest.raises(ValueError, match=r"is fused for images of .*Resize the model as it was trained, then fuse it"):
        kc.resize_model(fused, (96, 64, 3))


def test_constant_positions_need_a_size():
    spec = narrow_twin("coatnet_0").fused("constant")
    with pytest.raises(ValueError, match='"constant", which holds for images of one size'):
        kc.CoAtNet(spec, input_shape=(None, 64, 3))


@pytest.mark.parametrize("source", ["timm", "kecam"])
def test_peers_files_of_a_fused_model_are_refused(source, tmp_path):
    fused = fuse(trained(narrow_twin("coatnet_0_rw" if source == "timm" else "coatnet_0")))
    path = tmp_path / ("model.safetensors" if source == "timm" else "model.h5")
    with pytest.raises(ValueError, match="its norms are folded away"):
        kc.save_checkpoint(fused, path, source)
    assert list(tmp_path.iterdir()) == []
