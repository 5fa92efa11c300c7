"""What holds for every public layer in training: gradients, one step of `fit`, random state."""

import keras
import numpy as np
import pytest
from layer_cases import CASES
from running import gradients, image, randomize, run

from keras_coatnet.layers import ConstantPositionBias, DropPath

TRAINABLE = [case for case in CASES if case.layer is not ConstantPositionBias]
each_case = pytest.mark.parametrize("case", TRAINABLE, ids=lambda case: case.id)
dropping_cases = [case for case in CASES if case.path_rate]
# One of each layer; DropPath has nothing to train.
trained_cases = list({case.layer: case for case in reversed(TRAINABLE) if case.layer is not DropPath}.values())


def drop_paths(layer):
    return [child for child in layer._flatten_layers() if isinstance(child, DropPath)]


@each_case
def test_every_trainable_weight_gets_a_gradient(case, reference):
    weights = reference.layer.trainable_variables
    found, of_input = gradients(reference.layer, reference.x)
    assert len(found) == len(weights)
    for weight, gradient in zip(weights, found, strict=True):
        assert gradient is not None, weight.path
        assert gradient.shape == tuple(weight.shape), weight.path
        assert np.isfinite(gradient).all(), weight.path
        assert np.abs(gradient).max() > 0, weight.path
    assert np.isfinite(of_input).all()
    assert (np.abs(of_input).max() > 0) == case.rows


@pytest.mark.parametrize("case", trained_cases, ids=lambda case: case.id)
def test_one_training_step_changes_the_weights(case):
    inputs = keras.Input(case.shape[1:])
    model = keras.Model(inputs, case.make()(inputs))
    randomize(model)
    before = [keras.ops.convert_to_numpy(weight) for weight in model.trainable_variables]
    model.compile(keras.optimizers.SGD(0.1), "mse")
    # A bias over pairs of pixels has no batch axis: these cases have as many heads as the batch has rows.
    history = model.fit(image(case.shape), image((case.shape[0], *model.output_shape[1:]), 3), verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    for old, weight in zip(before, model.trainable_variables, strict=True):
        # Batch statistics cancel a shift in front of another norm.
        if weight.name != "beta":
            assert np.abs(keras.ops.convert_to_numpy(weight) - old).max() > 0, weight.path


@pytest.mark.parametrize("case", dropping_cases, ids=lambda case: case.id)
def test_training_drops_some_samples_and_keeps_others(case):
    layer = case.make(**{case.path_rate: 0.5})
    shape = (16, *case.shape[1:])
    layer.build(shape)
    randomize(layer)
    x = np.broadcast_to(image((1, *shape[1:])), shape).copy()
    resting = run(layer, x)
    np.testing.assert_allclose(resting, np.broadcast_to(resting[:1], resting.shape), rtol=1e-5, atol=1e-5)
    training = run(layer, x, training=True)
    outcomes = np.unique(np.round(training.reshape(16, -1), 3), axis=0)
    assert 1 < len(outcomes) <= 2 ** len(drop_paths(layer))
    assert np.abs(run(layer, x, training=True) - training).max() > 0
