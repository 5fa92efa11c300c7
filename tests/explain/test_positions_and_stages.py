"""Learned positions and stage maps read off whole models."""

import numpy as np
import pytest
from coat_twins import filled as coat
from explained_models import SIDES, coatnet, noise
from running import to_numpy

import keras_coatnet as kc
from keras_coatnet import explain

pytestmark = pytest.mark.usefixtures("quick")

BIAS = "stage2_block1/attention/relative_position_bias"


@pytest.fixture(scope="module")
def model():
    return coatnet()


def test_tables_are_shown_as_they_are(model):
    found = explain.position_biases(model)
    assert list(found) == [BIAS, *(f"stage3_block{number}/attention/relative_position_bias" for number in (1, 2))]
    table = model.get_layer("stage2_block1").attention.relative_position_bias.relative_position_bias_table
    np.testing.assert_array_equal(found[BIAS], to_numpy(table).T.reshape(2, 7, 11))


def test_fused_model_shows_the_same(model):
    fused = kc.fuse(model)
    for name, values in explain.position_biases(model).items():
        np.testing.assert_allclose(explain.position_biases(fused)[name], values, atol=1e-5)


def test_network_says_its_values_at_any_size_that_is_asked_for():
    spec = kc.coatnet_spec((1, 1), (16, 16), 8, layout="CT", head_dim=8, relative_position="mlp", input_size=32)
    fixed, free = coatnet(spec=spec), coatnet((None, None, 3), spec=spec)
    name = BIAS
    assert explain.position_biases(fixed)[name].shape == (2, 7, 11)
    with pytest.raises(ValueError, match=r"sides must say one, \(H, W\); got None"):
        explain.position_biases(free)
    np.testing.assert_allclose(
        explain.position_biases(free, sides=(4, 6))[name], explain.position_biases(fixed)[name], atol=1e-6
    )


def test_windows_of_a_coat_are_shown_one_a_head():
    found = explain.position_biases(coat("coat_lite_mini"))
    assert list(found) == [f"stage{number}_relative_position" for number in range(1, 5)]
    assert {values.shape for values in found.values()} == {(8, 7, 7)}


def test_no_such_layer_is_said(model):
    with pytest.raises(ValueError, match=r"matches 'stage1\*'\. Such layers: stage2_block1/attention/relative_pos"):
        explain.position_biases(model, "stage1*")


def test_stage_maps_are_what_the_stages_give(model):
    found = explain.stage_maps(model, [noise(), noise(seed=1)])
    expected = kc.stage_outputs(model).predict(kc.preprocess_input([noise(), noise(seed=1)], model), verbose=0)
    assert {name: maps.shape[1:3] for name, maps in found.items()} == SIDES
    for maps, wanted in zip(found.values(), expected, strict=True):
        np.testing.assert_allclose(maps, wanted, atol=1e-5 * np.abs(wanted).max())


def test_a_coat_has_no_stem():
    model = coat("coat_lite_mini")
    assert list(model.deciding_layers) == [f"stage{number}" for number in range(1, 5)]
    assert len(model.stage_tensors) == 4


def test_model_without_stages_is_refused():
    from explained_models import corner_reader

    with pytest.raises(ValueError, match="Only models of this package have stages; 'corner' is a Functional"):
        explain.stage_maps(corner_reader(), noise())
