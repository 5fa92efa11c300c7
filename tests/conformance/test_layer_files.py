"""What holds for every public layer in files: `.keras`, `.weights.h5`, quantized models, random state."""

import gc

import h5py
import keras
import numpy as np
import pytest
from layer_cases import CASES
from running import BACKEND, image, randomize, run

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
# On PyTorch, Keras' unseeded dropout draws from PyTorch's own global generator and leaves the layer's state alone.
random_cases = pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.rates and (BACKEND != "torch" or list(case.rates) == [case.path_rate])],
    ids=lambda case: case.id,
)

# Keras quantizes Dense and warns of every other kind of layer in a model.
skips_other_layers = pytest.mark.filterwarnings(
    "ignore:Layer .* does not have a `quantize` method implemented:UserWarning"
)

# Blocks in blocks: the policies of their Dense layers travel through two configs.
QUANTIZED_IN_HALF_PRECISION = ("MBConv-squeeze_before_norm", "TransformerBlock-mlp_position")


def one_layer_model(case, **changes):
    inputs = keras.Input(case.shape[1:])
    model = keras.Model(inputs, case.make(**changes)(inputs))
    return model


def filled_model(case, **changes):
    model = one_layer_model(case, **changes)
    randomize(model)
    return model


def quantize(model):
    """Keras collects garbage for every Dense layer: seconds, in a process that has seen hundreds of models."""
    gc.freeze()
    try:
        model.quantize("int8")
    finally:
        gc.unfreeze()


def seeds(model):
    """The random states of all layers."""
    return [
        keras.ops.convert_to_numpy(layer.seed_generator.state.value)
        for layer in model._flatten_layers()
        if hasattr(layer, "seed_generator")
    ]


@each_case
def test_keras_file_keeps_outputs_and_config(case, reference, tmp_path):
    model = filled_model(case)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.get_layer("layer")) is case.layer
    assert loaded.get_layer("layer").get_config() == model.get_layer("layer").get_config()
    np.testing.assert_array_equal(run(loaded, reference.x), reference.y)


@each_case
def test_weights_file_keeps_outputs(case, reference, tmp_path):
    filled_model(case).save_weights(tmp_path / "model.weights.h5")
    loaded = one_layer_model(case)
    loaded.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(run(loaded, reference.x), reference.y)


def quantized_layers(model):
    return [layer for layer in model._flatten_layers() if layer.quantization_mode == "int8"]


@skips_other_layers
@each_case
def test_quantized_model_survives_a_file(case, reference, tmp_path):
    model = filled_model(case)
    dense = [layer for layer in model._flatten_layers() if type(layer) is keras.layers.Dense]
    quantize(model)
    assert quantized_layers(model) == dense
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("layer").get_config() == model.get_layer("layer").get_config()
    found = run(loaded, reference.x)
    assert {layer.path for layer in quantized_layers(loaded)} == {layer.path for layer in dense}
    np.testing.assert_array_equal(found, run(model, reference.x))
    # Eight bits a weight and an activation.
    assert np.abs(found - reference.y).max() <= 0.1 * np.abs(reference.y).max()


@skips_other_layers
@pytest.mark.parametrize(
    "case", [case for case in CASES if case.id in QUANTIZED_IN_HALF_PRECISION], ids=lambda case: case.id
)
def test_quantized_model_keeps_its_half_precision_in_a_file(case, tmp_path):
    """bfloat16, since Keras refuses int8 beside float16."""
    model = filled_model(case, dtype="mixed_bfloat16")
    quantize(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    precisions = [(layer.path, layer.compute_dtype) for layer in quantized_layers(loaded)]
    assert precisions == [(layer.path, "bfloat16") for layer in quantized_layers(model)]
    x = image(case.shape)
    np.testing.assert_array_equal(run(loaded, x), run(model, x))


@random_cases
@pytest.mark.parametrize("ending", ["keras", "weights.h5"])
def test_random_state_survives_a_file(case, ending, tmp_path):
    model = filled_model(case)
    x = np.ones(case.shape, "float32")
    run(model, x, training=True)
    path = tmp_path / f"model.{ending}"
    if ending == "keras":
        model.save(path)
        loaded = keras.models.load_model(path)
    else:
        model.save_weights(path)
        loaded = one_layer_model(case)
        loaded.load_weights(path)
    assert len(seeds(model)) > 0
    np.testing.assert_array_equal(seeds(loaded), seeds(model))
    for _ in range(3):
        np.testing.assert_array_equal(run(loaded, x, training=True), run(model, x, training=True))
    np.testing.assert_array_equal(seeds(loaded), seeds(model))


@random_cases
def test_weights_file_without_random_state_loads(case, reference, tmp_path):
    path = tmp_path / "model.weights.h5"
    filled_model(case).save_weights(path)
    with h5py.File(path, "r+") as file:
        found = []
        file.visit(found.append)
        stored = [name for name in found if name.endswith("/seed")]
        assert stored
        for name in stored:
            del file[name]
    loaded = one_layer_model(case)
    before = seeds(loaded)
    loaded.load_weights(path)
    np.testing.assert_array_equal(seeds(loaded), before)
    np.testing.assert_array_equal(run(loaded, reference.x), reference.y)
