"""What every variant does, found by discovery: cheap checks on all of them, runs on one of each form."""

import functools
import itertools

import keras
import numpy as np
import pytest
from narrow_twins import forms, narrow_twin
from running import image, randomize, run

import keras_coatnet as kc
from keras_coatnet.coatnet.plan import plan_blocks
from keras_coatnet.coatnet.sizes import map_sizes, total_stride
from keras_coatnet.coatnet.variants import VARIANTS

NAMES = list(VARIANTS)
FORMS = forms()
SIDES, OTHER_SIDES = (64, 96), (96, 64)

# One of each that matters to a whole model: where the head's norm is, how positions are known and resized, five stages,
# one resolution, pools that drop a remainder, V2 residuals, ConvNeXt blocks.
HEADS = ["coatnet_0", "coatnet_0_paper", "coatnet_0_rw"]
POSITIONS = ["coatnet_0", "coatnet_0_paper", "coatnet_2_rw", "coatnet_rmlp_nano_rw"]
REPRESENTATIVES = ["coatnet_0_exp8", "coatnet_6", "vit_rel_0_paper", "coatnet_rmlp_1_rw", "coatnext_nano_rw"]


@functools.cache
def model_of(name):
    """A narrow twin with random weights, made once; tests do not change it."""
    model = kc.CoAtNet(narrow_twin(name), input_shape=(*SIDES, 3))
    randomize(model)
    return model


def images(sides=SIDES, batch=2):
    return image((batch, *sides, 3))


# All variants.


@pytest.mark.parametrize("name", NAMES)
def test_plan_follows_the_row(name):
    spec = kc.get_spec(name)
    blocks = plan_blocks(spec)
    assert (spec.name, spec.family) == (name, spec.family)
    assert len({block.name for block in blocks}) == sum(spec.depths)
    assert (
        tuple(sum(block.stage == stage for block in blocks) for stage in range(1, len(spec.depths) + 1)) == spec.depths
    )
    assert tuple(dict.fromkeys(block.width for block in blocks)) == tuple(dict.fromkeys(spec.widths))
    assert all(before.width == after.input_width for before, after in itertools.pairwise(blocks))
    assert all(0 <= block.drop_path_share <= 1 for block in blocks)
    # The published models have whole heads throughout.
    assert all(
        block.num_heads * block.head_dim in (block.input_width, block.width)
        for block in blocks
        if block.kind == "transformer"
    )


@pytest.mark.parametrize("name", NAMES)
def test_narrow_twin_is_built_with_the_maps_its_plan_foresees(name):
    model = model_of(name)
    sizes = map_sizes(model.spec, SIDES)
    for layer in model.layers:
        if layer.name in sizes:
            assert layer.output.shape[1:3] == sizes[layer.name]
    stages = [tuple(tensor.shape[1:]) for tensor in kc.stage_outputs(model).outputs]
    assert stages[0][:2] == sizes["stem"]
    assert [shape[-1] for shape in stages[1:]] == list(model.spec.widths)
    assert model.output_shape == (None, model.spec.num_classes)


@pytest.mark.parametrize("name", NAMES)
def test_pyramid_names_each_stride_once_with_its_last_map(name):
    model = model_of(name)
    pyramid = model.pyramid_outputs
    assert list(pyramid) == sorted(pyramid)
    for level, tensor in pyramid.items():
        assert tuple(tensor.shape[1:3]) == tuple(side // 2 ** int(level[1:]) for side in SIDES)
    last = list(pyramid.values())[-1]
    assert last is model.stage_tensors[-1]
    assert total_stride(model.spec) == 2 ** int(list(pyramid)[-1][1:])


# One variant of each form.


@pytest.mark.parametrize("name", FORMS)
def test_twin_runs_on_a_non_square_image(name):
    probabilities = run(model_of(name), images())
    assert probabilities.shape == (2, narrow_twin(name).num_classes)
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)
    # Random weights and two images: equal answers would mean that the image does not reach the head.
    assert np.abs(probabilities[0] - probabilities[1]).max() > 1e-5


@pytest.mark.parametrize("name", FORMS)
def test_keras_file_brings_spec_options_and_weights_back(name, tmp_path):
    model = model_of(name)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again) is type(model)
    assert again.spec == model.spec
    assert again.get_config()["options"] == model.get_config()["options"]
    assert [weight.path for weight in again.weights] == [weight.path for weight in model.weights]
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("name", "policy"),
    [*((name, "mixed_bfloat16") for name in FORMS), *((name, "mixed_float16") for name in HEADS)],
)
def test_mixed_policy_gives_float32_and_keeps_float32_weights(name, policy):
    model = kc.CoAtNet(narrow_twin(name), input_shape=(*SIDES, 3), dtype=policy)
    assert model.output.dtype == "float32"
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    assert all(tensor.dtype == policy.removeprefix("mixed_") for tensor in model.stage_tensors)


# Whole runs of the representatives.


@pytest.mark.parametrize("name", [*HEADS, *REPRESENTATIVES])
def test_keras_file_brings_the_outputs_back(name, tmp_path):
    model = model_of(name)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(run(again, images()), run(model, images()))


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("classes", [1, 2])
def test_any_number_of_classes_is_taken(name, classes):
    twin = narrow_twin(name)
    assert kc.CoAtNet(twin, input_shape=(*SIDES, 3), num_classes=classes).output_shape == (None, classes)


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_without_a_top_pooling_pools_the_last_map(name, pooling):
    maps, pooled = (
        kc.CoAtNet(narrow_twin(name), input_shape=(*SIDES, 3), include_top=False, pooling=kind)
        for kind in (None, pooling)
    )
    randomize(maps)
    pooled.set_weights(maps.get_weights())
    last = run(maps, images())
    assert last.shape == (2, 2, 3, maps.spec.widths[-1])
    expected = last.mean((1, 2)) if pooling == "avg" else last.max((1, 2))
    np.testing.assert_allclose(run(pooled, images()), expected, atol=1e-5)


@pytest.mark.parametrize("name", POSITIONS)
def test_open_size_gives_the_numbers_of_every_fixed_one(name, tmp_path):
    # float32 sums in another order; the geometric rule finds its ratio by bisection, in the graph as outside.
    tolerance = 1e-4 if narrow_twin(name).table_resize == "geometric" else 1e-5
    model_of(name).save_weights(tmp_path / "model.weights.h5")
    model = kc.CoAtNet(narrow_twin(name), input_shape=(None, None, 3), classifier_activation=None)
    model.load_weights(tmp_path / "model.weights.h5")
    for sides in (SIDES, OTHER_SIDES):
        fixed = kc.CoAtNet(narrow_twin(name), input_shape=(*sides, 3), classifier_activation=None)
        fixed.load_weights(tmp_path / "model.weights.h5")
        logits = run(fixed, images(sides))
        np.testing.assert_allclose(run(model, images(sides)), logits, atol=tolerance * np.abs(logits).max(), rtol=0)


def test_mixed_policy_is_close_to_float32():
    mixed, full = (
        kc.CoAtNet(narrow_twin("coatnet_0_rw"), input_shape=(*SIDES, 3), dtype=policy, num_classes=3)
        for policy in ("mixed_bfloat16", "float32")
    )
    mixed.set_weights(full.get_weights())
    # Eight bits of mantissa through four blocks; fresh weights keep the logits small.
    np.testing.assert_allclose(run(mixed, images()), run(full, images()), atol=0.03)
