"""Models whose GELU is made of other functions."""

import keras
import numpy as np
import pytest
from checkpoints import make
from running import image, run

from keras_coatnet.deploy.formats.litert_gelu import replace_activations, without_gelu_builtin


def test_model_of_ours_keeps_its_answers():
    model = make()
    x = image((2, 64, 96, 3))
    np.testing.assert_allclose(run(without_gelu_builtin(model), x), run(model, x), atol=2e-5)


def test_layers_of_keras_and_nested_models_are_rewritten_too():
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="gelu")])
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Activation(keras.activations.gelu)(inner(inputs)))
    x = image((5, 4))
    twin = without_gelu_builtin(model)
    assert "'gelu'" not in str(twin.get_config())
    np.testing.assert_allclose(run(twin, x), run(model, x), atol=1e-6)


@pytest.mark.backend_free
@pytest.mark.parametrize("activation", ["gelu", "keras_coatnet>gelu"])
def test_every_activation_of_a_config_is_replaced(activation):
    config = {"activation": activation, "layers": [{"prenorm_activation": activation}], "name": "gelu"}
    assert replace_activations(config, "other") == {
        "activation": "other",
        "layers": [{"prenorm_activation": "other"}],
        "name": "gelu",
    }


@pytest.mark.backend_free
def test_other_activations_stay():
    config = {"activation": "silu", "recurrent_activation": None}
    assert replace_activations(config, "other") == config
