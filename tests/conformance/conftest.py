"""The layer of each case, built with random weights and run once for all tests of the suite."""

import dataclasses

import keras
import numpy as np
import pytest
from running import image, quick_compilation, randomize, run

_references = {}


@dataclasses.dataclass(frozen=True)
class Reference:
    """A layer, an input and its output. Tests do not change the layer: they make copies."""

    layer: keras.layers.Layer
    x: np.ndarray
    y: np.ndarray

    def copy(self, case, **changes):
        """Another layer of the same case, with the same weights."""
        return with_weights_of(self.layer, case.make(**changes), self.x.shape)


def with_weights_of(source, layer, shape):
    layer.build(shape)
    layer.set_weights(source.get_weights())
    return layer


@pytest.fixture
def reference(case):
    if case.id not in _references:
        layer = case.make()
        layer.build(case.shape)
        randomize(layer)
        x = image(case.shape)
        _references[case.id] = Reference(layer, x, run(layer, x))
    return _references[case.id]


@pytest.fixture(autouse=True)
def _quick_compilation():
    with quick_compilation():
        yield
