"""Keras' own int8, `model.quantize`, on fused models; on others it is tested layer by layer."""

import gc

import keras
import numpy as np
import pytest
from checkpoints import make
from running import image, run

from keras_coatnet.deploy.fuse import fuse


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method implemented:UserWarning")
def test_fused_model_is_quantized_and_survives_a_file(tmp_path):
    model = fuse(make())
    x = image((2, 64, 96, 3))
    exact = run(model, x)
    # Keras collects garbage for every Dense layer.
    gc.freeze()
    try:
        model.quantize("int8")
    finally:
        gc.unfreeze()
    found = run(model, x)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    modes = {layer.path: layer.quantization_mode for layer in model._flatten_layers()}
    assert "int8" in modes.values()
    assert {layer.path: layer.quantization_mode for layer in loaded._flatten_layers()} == modes
    assert loaded.spec == model.spec
    np.testing.assert_array_equal(run(loaded, x), found)
    assert 0 < np.abs(found - exact).max() < 0.2 * exact.std()
