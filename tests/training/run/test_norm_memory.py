"""Batch norms keep time with the run."""

import keras
import numpy as np
import pytest

import keras_coatnet as kc
from keras_coatnet.training.run.loop import shorten_norm_memory


@pytest.mark.parametrize(("steps", "momentum"), [(1, 0.5), (100, 0.8), (1000, 0.98), (10**6, 0.99)])
def test_norm_statistics_forget_within_a_twentieth_of_the_run(steps, momentum):
    norms = [keras.layers.BatchNormalization(momentum=0.99), keras.layers.BatchNormalization(momentum=0.4)]
    model = keras.Sequential([keras.Input((4, 6, 3)), *norms])
    shorten_norm_memory(model, steps)
    np.testing.assert_allclose([norm.momentum for norm in norms], [momentum, 0.4])


def test_norms_inside_blocks_forget_too():
    model = kc.CoAtNet(kc.coatnet_spec((1,), (8,), 8, layout="C"), input_shape=(32, 48, 3), num_classes=2)
    shorten_norm_memory(model, 1)
    momenta = [layer.momentum for layer in model._flatten_layers() if hasattr(layer, "momentum")]
    assert len(momenta) > 2
    assert set(momenta) == {0.5}
