"""Optimizers: what decays, what is clipped, averaged, accumulated, slowed down or left alone."""

import keras
import numpy as np
import pytest

import keras_coatnet as kc
from keras_coatnet.training.optimization.optimizers import OPTIMIZERS, make_model_optimizer
from keras_coatnet.training.optimization.parameter_groups import decays, freeze_stages, learning_rate_multipliers

SPEC = kc.coatnet_spec((1, 1), (8, 16), 8, layout="CT", head_dim=8)


def coatnet(**options):
    return kc.CoAtNet(SPEC, input_shape=(32, 48, 3), num_classes=2, **options)


def dense_model(value=1.0):
    """Two layers whose weights are all `value`."""
    constant = keras.initializers.Constant(value)
    options = {"kernel_initializer": constant, "bias_initializer": constant}
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(2, name="first", **options),
            keras.layers.Dense(2, name="last", **options),
        ]
    )
    return model


def step(model, optimizer, gradient):
    """One update in which every gradient is `gradient`; returns how far each variable moved."""
    before = [np.array(variable.numpy()) for variable in model.trainable_variables]
    gradients = [keras.ops.full(variable.shape, gradient) for variable in model.trainable_variables]
    optimizer.apply(gradients, model.trainable_variables)
    pairs = zip(model.trainable_variables, before, strict=True)
    return {variable.path.split("/", 1)[-1]: variable.numpy() - old for variable, old in pairs}


@pytest.fixture(autouse=True)
def _no_gradients():
    """As Keras calls optimizers on torch."""
    if keras.backend.backend() == "torch":
        import torch

        with torch.no_grad():
            yield
    else:
        yield


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_only_kernels_decay(name):
    model = coatnet()
    optimizer = make_model_optimizer(model, name, 0.01, weight_decay=0.05)
    decayed = {variable.name for variable in model.trainable_variables if optimizer._use_weight_decay(variable)}
    spared = {variable.name for variable in model.trainable_variables} - decayed
    assert decayed == {"kernel"}
    assert {"bias", "gamma", "beta", "relative_position_bias_table"} <= spared


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("layer_decay", [1.0, 0.5])
def test_decay_pulls_kernels_towards_zero_by_rate_times_decay(name, layer_decay):
    model = dense_model()
    optimizer = make_model_optimizer(model, name, 0.5, weight_decay=0.1, layer_decay=layer_decay)
    moved = step(model, optimizer, 0.0)
    for variable, change in moved.items():
        factor = layer_decay if variable.startswith("first") else 1.0
        np.testing.assert_allclose(change, -0.05 * factor if "kernel" in variable else 0.0, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_layers_further_from_the_head_move_less(name):
    plain, slowed = dense_model(), dense_model()
    expected = step(plain, make_model_optimizer(plain, name, 0.01), 0.3)
    optimizer = make_model_optimizer(slowed, name, 0.01, layer_decay=0.25)
    moved = step(slowed, optimizer, 0.3)
    assert expected.keys() == moved.keys()
    for variable, change in moved.items():
        assert np.abs(change).max() > 0
        factor = 0.25 if variable.startswith("first") else 1.0
        np.testing.assert_allclose(change, factor * expected[variable], rtol=2e-3, atol=1e-7)


def test_slowed_optimizer_survives_its_config():
    model = dense_model()
    optimizer = make_model_optimizer(model, "adamw", 0.01, layer_decay=0.25)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.multipliers == optimizer.multipliers
    assert len(set(again.multipliers.values())) == 2


def test_all_gradients_are_clipped_together():
    model = dense_model()
    moved = step(model, make_model_optimizer(model, "sgd", 1.0, momentum=0.0, clip_norm=1.0), 10.0)
    assert np.sqrt(sum((change**2).sum() for change in moved.values())) == pytest.approx(1.0, rel=1e-4)


def test_clipping_is_over_all_layers_however_slow_they_are():
    model = dense_model()
    moved = step(model, make_model_optimizer(model, "sgd", 1.0, momentum=0.0, clip_norm=1.0, layer_decay=0.5), 10.0)
    unslowed = {name: change * (2 if name.startswith("first") else 1) for name, change in moved.items()}
    assert np.sqrt(sum((change**2).sum() for change in unslowed.values())) == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize("layer_decay", [1.0, 0.5])
def test_accumulated_parts_make_one_update_of_their_mean(layer_decay):
    whole, parts = dense_model(), dense_model()
    expected = step(whole, make_model_optimizer(whole, "adamw", 0.01, layer_decay=layer_decay), 0.3)
    optimizer = make_model_optimizer(parts, "adamw", 0.01, accumulation=2, layer_decay=layer_decay)
    first = step(parts, optimizer, 0.1)
    assert all(np.abs(change).max() == 0 for change in first.values())
    moved = step(parts, optimizer, 0.5)
    for variable, change in moved.items():
        np.testing.assert_allclose(change, expected[variable], rtol=1e-4)


@pytest.mark.parametrize("accumulation", [1, 3])
def test_average_keeps_its_share_once_an_update(accumulation):
    model = dense_model()
    optimizer = make_model_optimizer(model, "sgd", 1.0, momentum=0.0, ema_decay=0.5, accumulation=accumulation)
    for _ in range(accumulation):
        step(model, optimizer, 1.0)
    # The average begins with the weights after the first update, which are 0; the second one makes them -1.
    for _ in range(accumulation):
        step(model, optimizer, 1.0)
    for _ in range(accumulation - 1):
        step(model, optimizer, 0.0)
    np.testing.assert_allclose(model.trainable_variables[0].numpy(), -1, atol=1e-6)
    np.testing.assert_allclose(optimizer._model_variables_moving_average[0].numpy(), -0.5, atol=1e-6)


def test_optimizer_is_built_so_that_a_checkpoint_can_be_read_into_it():
    assert make_model_optimizer(dense_model(), "lamb", 0.01).built


def test_muon_leaves_the_classifier_and_the_tables_to_adamw():
    model = coatnet()
    optimizer = make_model_optimizer(model, "muon", 0.01, weight_decay=0.05)
    by_adam = {variable.path for variable in model.trainable_variables if optimizer._should_use_adamw(variable)}
    by_muon = {variable.path for variable in model.trainable_variables} - by_adam
    assert "predictions/kernel" in by_adam
    assert by_muon
    assert all("kernel" in path for path in by_muon)


def test_unknown_optimizer_is_refused():
    with pytest.raises(ValueError, match="optimizer must be one of 'adamw', 'lamb', 'sgd', 'muon'; got 'adam'"):
        make_model_optimizer(dense_model(), "adam", 0.01)


def test_multipliers_fall_block_by_block_from_the_head():
    multipliers = learning_rate_multipliers(coatnet(), 0.5)
    by_layer = {path.split("/")[0]: factor for path, factor in multipliers.items()}
    assert by_layer == {"stem": 0.125, "stage1_block1": 0.25, "stage2_block1": 0.5, "predictions": 1}


def test_multipliers_see_into_a_model_around_a_backbone():
    backbone = coatnet(include_top=False, pooling="avg")
    model = keras.Sequential([keras.Input((32, 48, 3)), backbone, keras.layers.Dense(3, name="own_head")])
    by_layer = {path.split("/")[-2]: factor for path, factor in learning_rate_multipliers(model, 0.5).items()}
    assert by_layer["own_head"] == 1
    paths = {path for path, factor in learning_rate_multipliers(model, 0.5).items() if factor == 0.125}
    assert paths == {variable.path for variable in backbone.get_layer("stem").trainable_variables}


def test_all_trainable_variables_have_a_multiplier():
    model = coatnet()
    assert set(learning_rate_multipliers(model, 0.9)) == {variable.path for variable in model.trainable_variables}


def test_what_the_blocks_of_a_stage_share_learns_as_its_first_block():
    model = kc.CoaT(kc.narrow("coat_mini", (1, 2, 1, 1, 2), (8, 8, 8, 8)), input_shape=(32, 32, 3), num_classes=2)
    by_layer = {path.split("/")[0]: factor for path, factor in learning_rate_multipliers(model, 0.5).items()}
    for shared in ("patch_embedding", "class_token", "position_encoding", "relative_position"):
        assert by_layer[f"stage2_{shared}"] == by_layer["stage2_block1"] == 2 * by_layer["stage1_block1"]
    assert [by_layer[f"parallel_block{number}"] for number in (1, 2)] == [0.25, 0.5]
    assert {by_layer[name] for name in ("head_norm2", "head_norm4", "aggregation", "predictions")} == {1}


def test_parallel_blocks_are_the_last_part_to_freeze():
    model = kc.CoaT(kc.narrow("coat_mini", (1, 1, 1, 1, 2), (8, 8, 8, 8)), input_shape=(32, 32, 3), num_classes=2)
    with pytest.raises(ValueError, match=r"from 0 to 5 \(stage1, stage2, stage3, stage4, parallel\); got 6"):
        freeze_stages(model, 6)
    assert freeze_stages(model, 5)[-2:] == ["parallel_block1", "parallel_block2"]
    trainable = {variable.path.split("/")[0] for variable in model.trainable_variables}
    assert trainable == {"head_norm2", "head_norm3", "head_norm4", "aggregation", "predictions"}


def test_frozen_stages_do_not_learn_and_their_norms_do_not_move():
    model = coatnet()
    assert freeze_stages(model, 2) == ["stem", "stage1_block1"]
    trainable = {variable.path.split("/")[0] for variable in model.trainable_variables}
    assert trainable == {"stage2_block1", "predictions"}
    assert not [layer for layer in model.get_layer("stem")._flatten_layers() if layer.trainable]


@pytest.mark.parametrize("count", [-1, 4])
def test_more_stages_than_there_are_cannot_be_frozen(count):
    with pytest.raises(ValueError, match=rf"from 0 to 3 \(stem, stage1, stage2\); got {count}"):
        freeze_stages(coatnet(), count)


@pytest.mark.backend_free
def test_kernels_of_all_variants_decay_and_nothing_else():
    """Names are what decides, so each name in use is looked at."""
    from narrow_twins import forms, narrow_twin

    names = set()
    for name in forms():
        names |= {variable.name for variable in kc.CoAtNet(narrow_twin(name)).trainable_variables}
    coat = kc.CoaT(kc.narrow("coat_mini", (1, 1, 1, 1, 1), (8, 8, 8, 8)), input_shape=(32, 32, 3))
    names |= {variable.name for variable in coat.trainable_variables}

    class Named:
        def __init__(self, name):
            self.name = name

    assert {name for name in names if decays(Named(name))} == {"kernel"}
    assert {name for name in names if not decays(Named(name))} >= {"bias", "gamma", "beta", "class_token"}
