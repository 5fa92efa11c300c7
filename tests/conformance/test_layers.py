"""What holds for every public layer: configs, names, shapes, dtypes, independence of rows."""

import json

import keras
import numpy as np
import pytest
from layer_cases import CASES, public_layers
from running import BACKEND, image, run, run_tensor, to_numpy

from keras_coatnet.layers.composite import CompositeLayer

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)

# Largest difference from float32 over the largest value. A half has 11 bits of mantissa, a bfloat16 has 8.
TOLERANCES = {"mixed_float16": 0.01, "float16": 0.01, "mixed_bfloat16": 0.05, "bfloat16": 0.05}


def through_json(config):
    return json.loads(json.dumps(config))


def sublayers(layer):
    """Every layer below `layer` with the layer that owns it."""
    for child in layer._layers:
        yield layer, child
        yield from sublayers(child)


def precision_cases():
    """All policies for the first case of every layer, the mixed ones for all (JAX, slow to compile: one of them)."""
    first = {case.layer: case for case in reversed(CASES)}
    for number, case in enumerate(CASES):
        policies = list(TOLERANCES)
        if case is not first[case.layer]:
            policies = ["mixed_float16", "mixed_bfloat16"]
            if BACKEND == "jax":
                policies = policies[number % 2 :][:1]
        for policy in policies:
            yield pytest.param(case, policy, id=f"{case.id}-{policy}")


def test_every_public_layer_has_a_case():
    assert {case.layer for case in CASES} == public_layers()


def test_case_ids_are_unique():
    assert len({case.id for case in CASES}) == len(CASES)


@each_case
def test_config_round_trip(case, reference):
    config = reference.layer.get_config()
    copy = case.layer.from_config(config)
    assert copy.get_config() == config
    copy.build(case.shape)
    copy.set_weights(reference.layer.get_weights())
    np.testing.assert_array_equal(run(copy, reference.x), reference.y)


@each_case
def test_config_survives_json(case, reference):
    stored = through_json(keras.saving.serialize_keras_object(reference.layer))
    copy = keras.saving.deserialize_keras_object(stored)
    assert type(copy) is case.layer
    assert through_json(copy.get_config()) == through_json(reference.layer.get_config())
    if not copy.built:
        copy.build(case.shape)
    copy.set_weights(reference.layer.get_weights())
    np.testing.assert_array_equal(run(copy, reference.x), reference.y)


@each_case
def test_build_leaves_the_config_as_it_was(case):
    layer = case.make()
    before = layer.get_config()
    layer.build(case.shape)
    assert layer.get_config() == before


@each_case
def test_config_holds_every_argument(case):
    config = case.make().get_config()
    assert set(case.arguments) <= set(config)
    for argument, value in case.arguments.items():
        if isinstance(value, bool | int | float | None) and not isinstance(config[argument], list | tuple):
            assert config[argument] == value, argument


@each_case
def test_every_sublayer_is_named_as_its_attribute(case, reference):
    for owner, child in sublayers(reference.layer):
        assert getattr(owner, child.name, None) is child, f"{child.name} of {owner.name}"
    assert list(sublayers(reference.layer)) or not isinstance(reference.layer, CompositeLayer) or not case.rows


@each_case
def test_symbolic_shape_and_dtype_are_those_of_a_run(case, reference):
    symbolic = reference.layer(keras.KerasTensor(case.shape, "float32"))
    assert tuple(symbolic.shape) == reference.y.shape
    assert tuple(reference.layer.compute_output_shape(case.shape)) == reference.y.shape
    assert keras.backend.standardize_dtype(symbolic.dtype) == reference.y.dtype.name


@pytest.mark.parametrize("case", [case for case in CASES if case.on_open_sides is not None], ids=lambda case: case.id)
def test_open_sides_give_the_same_output(case, reference):
    open_sides = (None,) * (len(case.shape) - 2)
    layer = case.make_for_open_sides()
    inputs = keras.Input((*open_sides, case.shape[-1]))
    outputs = layer(inputs)
    layer.set_weights(reference.layer.get_weights())
    shape = tuple(outputs.shape)
    assert all(side is None or side == known for side, known in zip(shape, reference.y.shape, strict=True))
    assert shape[-1] == reference.y.shape[-1] or not case.rows
    model = keras.Model(inputs, outputs)
    found = compiled(model)(reference.x)
    np.testing.assert_allclose(found, reference.y, rtol=0, atol=1e-5 * np.abs(reference.y).max())


def compiled(model):
    """The model as `predict` calls it: on TensorFlow a graph with open sides, on JAX a compiled function."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        signature = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in model.inputs]
        return tf.function(lambda x: model(x, training=False), input_signature=signature)
    return lambda x: run(model, x)


@pytest.mark.parametrize(("case", "policy"), list(precision_cases()))
def test_half_precision_is_close_to_float32(case, reference, policy):
    layer = reference.copy(case, dtype=policy)
    symbolic = layer(keras.KerasTensor(case.shape, "float32"))
    tensor = run_tensor(layer, reference.x)
    assert keras.backend.standardize_dtype(tensor.dtype) == symbolic.dtype
    found = to_numpy(tensor)
    assert np.isfinite(found).all()
    assert np.abs(found - reference.y).max() <= TOLERANCES[policy] * np.abs(reference.y).max()


@each_case
def test_every_sublayer_carries_the_dtype_policy(case):
    layer = case.make(dtype="mixed_bfloat16")
    layer.build(case.shape)
    for owner, child in sublayers(layer):
        assert child.dtype_policy.name == "mixed_bfloat16", f"{child.name} of {owner.name}"


@each_case
def test_users_data_format_changes_nothing(case, reference):
    """Layers are channels-last inside, whatever Keras is told for images."""
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        layer = reference.copy(case)
        np.testing.assert_array_equal(run(layer, reference.x), reference.y)
        assert tuple(layer.compute_output_shape(case.shape)) == reference.y.shape
    finally:
        keras.config.set_image_data_format(before)


@each_case
def test_inference_is_deterministic(case, reference):
    np.testing.assert_array_equal(run(reference.layer, reference.x), reference.y)


@pytest.mark.parametrize("case", [case for case in CASES if case.rows], ids=lambda case: case.id)
def test_rows_of_a_batch_are_independent(case, reference):
    other = reference.x.copy()
    other[1:] = image(other[1:].shape, seed=7)
    found = run(reference.layer, other)
    np.testing.assert_array_equal(found[0], reference.y[0])
    assert np.abs(found[1] - reference.y[1]).max() > 0
