"""A rematerialised model trains as the plain one does, statistics and random draws included, and keeps less."""

import contextlib
import dataclasses

import keras
import numpy as np
import pytest
from running import BACKEND, gradients, image, randomize, run, to_numpy
from small_runs import SPEC

import keras_coatnet as kc
from keras_coatnet.layers import Perceptron, RelativeMultiHeadSelfAttention
from keras_coatnet.layers.rematerialization import RematerializingLayer, rematerialize

SIDES = (32, 48)
# Wide windows take JAX minutes to compile.
COAT = dataclasses.replace(kc.narrow("coat_lite_mini", (1, 1, 1, 1), (8, 8, 8, 8)), windows=((3, 8),))
SPECS = {"coatnet": SPEC, "coat": COAT}


def make_model(spec):
    """A model that drops paths, with random weights; each has the same random states."""
    keras.utils.set_random_seed(0)
    model = kc.build(spec, input_shape=(*SIDES, 3), num_classes=3, drop_path_rate=0.4)
    randomize(model)
    return model


def values_after_a_step(model):
    """All variables behind a step whose change of a weight is its gradient."""
    # XLA makes depthwise convolutions slow on TensorFlow's CPU; JAX without it is slower yet.
    model.compile(keras.optimizers.SGD(1.0), "categorical_crossentropy", jit_compile=BACKEND == "jax")
    model.train_on_batch(image((4, *SIDES, 3)), np.eye(3, dtype="float32")[[0, 1, 2, 0]])
    return {variable.path: np.array(to_numpy(variable.value)) for variable in model.variables}


@pytest.mark.parametrize("family", SPECS)
def test_gradients_statistics_and_draws_are_those_of_the_plain_model(family):
    plain, saving = make_model(SPECS[family]), make_model(SPECS[family])
    before = [np.array(to_numpy(variable.value)) for variable in plain.variables]
    rematerialize(saving)
    expected, found = values_after_a_step(plain), values_after_a_step(saving)
    changed = set()
    for (path, ours), wanted, former in zip(found.items(), expected.values(), before, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-5, atol=1e-5, err_msg=path)
        if np.any(ours != former):
            changed.add(path)
    # Nobody reads the last map of a CoaT, so that what is for it alone gets no gradient.
    assert {path for path in found if "stage4" not in path} - changed <= {path for path in found if "seed" in path}
    assert any("seed" in path for path in changed)


@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_only_parts_that_draw_nothing_are_computed_again(rate, monkeypatch):
    marked, remat = [], keras.remat
    monkeypatch.setattr(keras, "remat", lambda part: marked.append(part) or remat(part))
    attention = RelativeMultiHeadSelfAttention(2, head_dim=4, attention_dropout_rate=rate, rematerialize=True)
    for layer in (attention, Perceptron(4, dropout_rate=rate, rematerialize=True)):
        marked.clear()
        gradients(layer, image((2, 3, 5, 8)), training=True)
        assert bool(marked) == (rate == 0)
        marked.clear()
        run(layer, image((2, 3, 5, 8)))
        assert not marked


@pytest.mark.parametrize("on", [True, False])
def test_attention_maps_are_made_again_instead_of_being_kept(on):
    layer = RelativeMultiHeadSelfAttention(2, head_dim=4, rematerialize=on, name="layer")
    x = image((2, 3, 5, 8))
    layer.build(x.shape)
    made, attend = [], layer._attend

    def counted(*tensors):
        made.append(tensors)
        return attend(*tensors)

    layer._attend = counted
    with _kept_shapes() as kept:
        gradients(layer, x, training=True)
    if BACKEND == "torch":
        assert ((2, 2, 15, 15) in kept) == (not on)
    if BACKEND == "jax":
        import jax

        text = str(jax.make_jaxpr(jax.grad(lambda x: keras.ops.sum(layer(x, training=True))))(x))
        assert ("remat" in text or "checkpoint" in text) == on
    else:
        assert len(made) == 1 + on


@contextlib.contextmanager
def _kept_shapes():
    """Shapes of what PyTorch keeps for the gradients inside of the block."""
    shapes = set()
    if BACKEND != "torch":
        yield shapes
        return
    import torch

    def keep(tensor):
        shapes.add(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield shapes


def test_choice_is_saved_with_the_model(tmp_path):
    model = make_model(SPECS["coatnet"])
    rematerialize(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    found = [layer for layer in loaded._flatten_layers() if isinstance(layer, RematerializingLayer)]
    assert [layer.rematerialize for layer in found] == [True, True]
    x = image((2, *SIDES, 3))
    np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6)
    rematerialize(loaded, on=False)
    assert not any(layer.rematerialize for layer in found)


@pytest.mark.backend_free
def test_config_holds_the_choice_of_a_layer():
    layer = Perceptron.from_config(Perceptron(4, rematerialize=True).get_config())
    assert layer.rematerialize
    assert not Perceptron(4).get_config()["rematerialize"]
