"""A model's layers one after the other on PyTorch: the same answers, and what waits for a layer still runs."""

import keras
import numpy as np
import pytest
from coat_twins import TWINS, filled, fresh
from running import BACKEND, image, to_numpy

from keras_coatnet.families.straight_run import answer_straight
from keras_coatnet.layers.fast.forward import plain_forms

pytestmark = pytest.mark.skipif(BACKEND != "torch", reason="the other backends compile a model's graph")
IMAGES = (2, 64, 96, 3)


def tensor(seed=0, dtype="float32"):
    import torch

    return torch.from_numpy(image(IMAGES, seed).astype(dtype))


def answer(model, x=None, training=False):
    import torch

    with torch.no_grad():
        return to_numpy(model(tensor() if x is None else x, training=training))


def assert_plain(found, model, x=None, tolerance=1e-5):
    with plain_forms():
        expected = answer(model, x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.fixture
def called(monkeypatch):
    """The layers that Keras calls."""
    found, call = [], keras.layers.Layer.__call__
    monkeypatch.setattr(keras.layers.Layer, "__call__", lambda self, *a, **k: found.append(self) or call(self, *a, **k))
    return found


@pytest.mark.parametrize("name", TWINS)
def test_answers_are_those_of_the_plain_layers_in_one_call_of_keras(name, called):
    model = filled(name)
    called.clear()
    found = answer(model)
    assert called == [model]
    assert_plain(found, model)


@pytest.mark.parametrize("keywords", [{"include_top": False}, {"include_top": False, "pooling": "token"}])
def test_models_without_a_classifier_run_straight(called, keywords):
    model = fresh("coat_mini", **keywords)
    called.clear()
    found = answer(model)
    assert called == [model]
    assert_plain(found, model)


def test_gradients_agree():
    import torch

    model, found = filled("coat_mini"), []
    for plain in (False, True):
        x = tensor().requires_grad_()
        with plain_forms() if plain else torch.enable_grad():
            (gradient,) = torch.autograd.grad(model(x, training=False).square().sum(), x)
        found.append(to_numpy(gradient))
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-4 * np.abs(found[1]).max())


def test_hooks_of_a_layer_see_its_call():
    model, seen = filled("coat_lite_mini"), []
    hook = model.get_layer("stage2_patch_embedding").register_forward_hook(lambda *_: seen.append(1))
    try:
        answer(model)
    finally:
        hook.remove()
    assert seen == [1]


def test_training_draws():
    model = fresh("coat_lite_mini", drop_path_rate=0.5)
    assert np.abs(answer(model, training=True) - answer(model, training=True)).max() > 0


@pytest.mark.parametrize("dtype", ["float64", "uint8"])
def test_images_of_another_dtype_are_cast(dtype):
    x = tensor(dtype=dtype)
    assert_plain(answer(filled("coat_lite_mini"), x), filled("coat_lite_mini"), x)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_half_precision_gives_the_same(policy):
    model = fresh("coat_lite_mini", dtype=policy)
    assert_plain(answer(model), model, tolerance=0.05)


def test_quantized_layers_stay_so(called):
    model = fresh("coat_lite_mini")
    before = answer(model)
    for layer in model._flatten_layers():
        if layer.name == "expansion":
            layer.quantize("int8")
    called.clear()
    found = answer(model)
    assert any(layer.quantization_mode == "int8" for layer in called)
    assert np.abs(found - before).max() > 0
    assert_plain(found, model)


def test_maps_are_given_back_once_they_are_used():
    import weakref

    model, alive = filled("coat_lite_mini"), []
    first, last = (model.get_layer(name) for name in ("stage1_patch_embedding", "predictions"))
    hooks = [
        first.register_forward_hook(lambda layer, x, y: alive.append(weakref.ref(y))),
        last.register_forward_hook(lambda layer, x, y: alive.append(alive[0]() is not None)),
    ]
    try:
        answer(model)
    finally:
        for hook in hooks:
            hook.remove()
    assert alive[1] is False


def test_what_pytorch_compiles_is_left_to_keras():
    import torch

    model = filled("coat_lite_mini")

    @torch.compile(backend="eager")
    def ask(x):
        return x if answer_straight(model, x, False) is None else x + 1

    np.testing.assert_array_equal(to_numpy(ask(tensor())), to_numpy(tensor()))
