"""CoaT models: sizes, heads, maps, rates, files, folding, and what is refused."""

import dataclasses

import keras
import numpy as np
import pytest
from coat_twins import TWINS, filled, fresh, twin
from running import image, run

import keras_coatnet as kc
from keras_coatnet.layers import ParallelBlock, SerialBlock

each_twin = pytest.mark.parametrize("name", TWINS)


def images(sides=(64, 96), batch=2):
    return image((batch, *sides, 3))


@each_twin
@pytest.mark.parametrize("sides", [(33, 47), (100, 52)])
def test_open_size_gives_the_numbers_of_every_fixed_one(name, sides):
    model, fixed = filled(name, input_shape=(None, None, 3)), fresh(name, input_shape=(*sides, 3))
    fixed.set_weights(model.get_weights())
    expected = run(fixed, images(sides))
    np.testing.assert_allclose(run(model, images(sides)), expected, atol=1e-5 * np.abs(expected).max(), rtol=0)


@each_twin
def test_resized_model_has_the_same_weights(name):
    model = filled(name)
    resized = kc.resize_model(model, (40, 72, 3))
    for ours, theirs in zip(model.get_weights(), resized.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@each_twin
def test_maps_have_strides_4_to_32_and_no_class_token(name):
    model = filled(name)
    shapes = [tuple(x.shape[1:]) for x in kc.stage_outputs(model).outputs]
    assert shapes == [(16, 24, 8), (8, 12, 16), (4, 6, 16), (2, 3, 16)]
    assert list(model.pyramid_outputs) == ["P2", "P3", "P4", "P5"]
    assert list(model.pyramid_outputs.values()) == model.stage_tensors


@each_twin
def test_without_a_top_the_last_map_is_normed_and_pooled(name):
    body = fresh(name, include_top=False)
    last = run(body, images())
    assert last.shape == (2, 2, 3, 16)
    raw = run(keras.Model(body.input, body.stage_tensors[-1]), images()).astype("float64")
    gamma, beta = (np.asarray(weight) for weight in body.get_layer("head_norm4").get_weights())
    normed = (raw - raw.mean(-1, keepdims=True)) / np.sqrt(raw.var(-1, keepdims=True) + 1e-6) * gamma + beta
    np.testing.assert_allclose(last, normed, atol=1e-4)
    for pooling, expected in (("avg", last.mean((1, 2))), ("max", last.max((1, 2)))):
        pooled = fresh(name, include_top=False, pooling=pooling)
        pooled.set_weights(body.get_weights())
        np.testing.assert_allclose(run(pooled, images()), expected, atol=1e-5)


@each_twin
def test_token_is_the_vector_that_the_classifier_reads(name, tmp_path):
    model, body = filled(name), fresh(name, include_top=False, pooling="token", seed=1)
    kc.save_checkpoint(model, tmp_path / "model.safetensors", source="timm")
    report = kc.load_checkpoint(body, tmp_path / "model.safetensors")
    assert report.left == ("head.weight", "head.bias")
    vector = run(body, images())
    kernel, bias = model.get_layer("predictions").get_weights()
    np.testing.assert_allclose(vector @ kernel + bias, run(model, images()), atol=1e-4)


@each_twin
def test_every_block_has_the_published_rate_and_takes_another(name):
    spec = dataclasses.replace(twin(name), drop_path_rate=0.3)
    for keywords, rate in (({}, 0.3), ({"drop_path_rate": 0.1}, 0.1), ({"drop_path_rate": 0.0}, 0.0)):
        model = kc.CoaT(spec, input_shape=(32, 32, 3), **keywords)
        blocks = [layer for layer in model.layers if isinstance(layer, SerialBlock | ParallelBlock)]
        assert len(blocks) == sum(spec.serial_depths) + spec.parallel_depth
        paths = [part for block in blocks for part in block._layers if "drop_path" in part.name]
        assert len(paths) == 2 * sum(spec.serial_depths) + 6 * spec.parallel_depth
        assert {path.rate for path in paths} == {rate}


@each_twin
def test_stochastic_depth_acts_in_training_alone(name):
    model = fresh(name, drop_path_rate=0.5)
    first, second = (run(model, images(), training=True) for _ in range(2))
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_array_equal(run(model, images()), run(filled(name), images()))


@each_twin
def test_a_training_step_reaches_every_weight_of_the_result(name):
    model = fresh(name)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = {weight.path: np.array(weight) for weight in model.trainable_weights}
    model.fit(images(), np.array([0, 3]), verbose=0)
    still = {weight.path for weight in model.trainable_weights if np.array_equal(before[weight.path], weight)}
    assert still == set()


@each_twin
def test_keras_file_brings_spec_options_weights_and_outputs_back(name, tmp_path):
    model = filled(name)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again) is type(model)
    assert (again.spec, again.options) == (model.spec, model.options)
    assert len(again.weights) == len(model.weights)
    np.testing.assert_array_equal(run(again, images()), run(model, images()))


@each_twin
@pytest.mark.parametrize("policy", ["bfloat16", "mixed_bfloat16", "mixed_float16"])
def test_half_precision_gives_numbers(name, policy):
    model = kc.CoaT(twin(name), input_shape=(64, 96, 3), dtype=policy, num_classes=3)
    full = kc.CoaT(twin(name), input_shape=(64, 96, 3), num_classes=3)
    model.set_weights(full.get_weights())
    assert model.output.dtype == "float32"
    found = run(model, images())
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, run(full, images()), atol=0.03)


@each_twin
def test_fused_model_gives_the_same_answer_with_fewer_weights(name):
    model = filled(name)
    fused = kc.fuse(model)
    expected = run(model, images())
    np.testing.assert_allclose(run(fused, images()), expected, atol=2e-5 * np.abs(expected).max(), rtol=0)
    assert fused.count_params() < model.count_params()
    reasons = set(fused.fusion.stays.values())
    assert ("the perceptron behind it is that of the other scales too" in reasons) == ("lite" not in name)
    with pytest.raises(ValueError, match="norms are folded away"):
        kc.save_checkpoint(fused, "never.safetensors", source="timm")


def test_channels_first_is_turned_around():
    expected = run(filled("coat_mini"), images())
    keras.config.set_image_data_format("channels_first")
    try:
        model = kc.CoaT(twin("coat_mini"), input_shape=(3, 64, 96), classifier_activation=None, num_classes=5)
        model.set_weights(filled("coat_mini").get_weights())
        found = run(model, images().transpose(0, 3, 1, 2))
    finally:
        keras.config.set_image_data_format("channels_last")
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"embed_dims": (8, 16, 20, 16)}, "multiples of num_heads=8; got 20. Nearest: 16 or 24"),
        ({"embed_dims": (8, 16, 16, 24)}, "same at scales 2, 3 and 4"),
        ({"serial_depths": (1, 1, 1)}, "one entry a scale, 4; got"),
        ({"parallel_depth": -1}, "whole number from 0 up; got -1"),
        ({"windows": ((3, 8), (5, 1))}, "num_heads=8 heads together"),
        ({"windows": ((4, 8),)}, "odd sides; got 4"),
        ({"windows": ((3, 4), (3, 4))}, r"sides of their own; got \(\(3, 4\), \(3, 4\)\)"),
        ({"mlp_ratios": (8, 0, 4, 4)}, "mlp_ratios of coat_mini must be above 0"),
        ({"drop_path_rate": 1.0}, "at least 0 and below 1; got 1.0"),
        ({"activation": "gelo"}, "Nearest: gelu"),
    ],
)
def test_spec_that_cannot_be_is_refused(fields, message):
    spec = dataclasses.replace(twin("coat_mini"), **fields)
    with pytest.raises(ValueError, match=message):
        kc.CoaT(spec)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"pooling": "tokens"}, "None, 'avg', 'max', 'token'; got 'tokens'. Nearest: token"),
        ({"input_shape": (31, 64, 3)}, "at least 32 pixels a side; got 31 x 64"),
        ({"num_classes": 0}, "at least 1 with a top; got 0"),
        ({"mlp_dropout_rate": 1}, "mlp_dropout_rate must be at least 0 and below 1"),
    ],
)
def test_wrong_argument_is_refused(keywords, message):
    with pytest.raises(ValueError, match=message):
        kc.CoaT(twin("coat_mini"), **keywords)


def test_unknown_variant_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"Unknown CoaT variant 'coat_lite_tini'. Nearest: coat_lite_tiny"):
        kc.CoaT("coat_lite_tini")
    with pytest.raises(ValueError, match="has no stem to narrow"):
        kc.narrow("coat_tiny", (1, 1, 1, 1), (8, 8, 8, 8), 8)


def test_open_size_meets_an_image_that_is_too_small():
    with pytest.raises(ValueError, match="at least 32 pixels a side; got 64 x 20"):
        filled("coat_mini", input_shape=(None, None, 3))(images((64, 20)))


def test_any_family_is_built_by_name():
    model = kc.build("coat_lite_tiny", input_shape=(32, 32, 3), include_top=False)
    assert model.spec is kc.get_spec("coat_lite_tiny")
    assert kc.CoaTLiteTiny.__name__ == "CoaTLiteTiny"
