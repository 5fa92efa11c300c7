"""Every layer in PyTorch's own operations is what it is in Keras': values, gradients, statistics."""

import keras
import numpy as np
import pytest
from agreement import assert_close
from layer_cases import CASES, RATES
from running import BACKEND, gradients, image, randomize, run, to_numpy
from two_scales import OPTIONS, SIDES, make

from keras_coatnet import layers
from keras_coatnet.layers.fast.forward import forward, plain_forms

pytestmark = pytest.mark.skipif(BACKEND != "torch", reason="the other backends have no native forms")
TRAINABLE = [case for case in CASES if case.layer is not layers.ConstantPositionBias]
TRANSFORMED = [
    case for case in CASES if case.id in ("MBConv-plain", "TransformerBlock-plain", "FactorizedAttention-eight_heads")
]
OF_MANY = pytest.mark.parametrize("options", OPTIONS)
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


def without_chance(case):
    """A layer of the case that drops nothing, with random weights."""
    rates = [name for name in case.make().get_config() if name in RATES]
    layer = case.make(**dict.fromkeys(rates, 0.0))
    layer.build(case.shape)
    randomize(layer)
    return layer


def two_scales(options):
    """A model of the layers with several inputs that drops nothing and has one output, with random weights."""
    windows, block = OPTIONS[options]
    model = make(windows, {name: 0.0 if name in RATES else value for name, value in block.items()})
    flat = [keras.layers.Flatten()(output) for output in model.outputs]
    model = keras.Model(model.inputs, keras.layers.Concatenate()(flat))
    randomize(model)
    return model


def statistics_of(layer):
    return [to_numpy(weight.value) for weight in layer.non_trainable_weights]


@each_case
def test_outputs_agree_and_the_input_stays(case):
    layer, x = without_chance(case), image(case.shape)
    found = run(layer, x)
    np.testing.assert_array_equal(x, image(case.shape))
    with plain_forms():
        assert_close(found, run(layer, x), 1e-6)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("case", TRAINABLE, ids=lambda case: case.id)
def test_gradients_and_statistics_agree(case, training):
    found, expected = without_chance(case), without_chance(case)
    assert_gradients_agree(found, expected, image(case.shape), training)
    for ours, theirs in zip(statistics_of(found), statistics_of(expected), strict=True):
        assert_close(ours, theirs, 1e-6)


def assert_gradients_agree(layer, plain_layer, x, training):
    of_weights, of_input = gradients(layer, x, training)
    with plain_forms():
        expected_of_weights, expected_of_input = gradients(plain_layer, x, training)
    scale = max(np.abs(gradient).max() for gradient in [*expected_of_weights, expected_of_input])
    for ours, theirs in zip([*of_weights, of_input], [*expected_of_weights, expected_of_input], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * scale)


@OF_MANY
def test_outputs_of_many_inputs_agree(options):
    model, x = two_scales(options), image((2, *SIDES, 8))
    found = run(model, x)
    np.testing.assert_array_equal(x, image((2, *SIDES, 8)))
    with plain_forms():
        assert_close(found, run(model, x), 1e-6)


@OF_MANY
@pytest.mark.parametrize("training", [False, True])
def test_gradients_of_many_inputs_agree(options, training):
    model = two_scales(options)
    assert_gradients_agree(model, model, image((2, *SIDES, 8)), training)


@pytest.mark.parametrize("training", [False, True])
def test_a_block_is_one_call_of_keras(monkeypatch, training):
    layer = layers.MBConv(8, 16, squeeze_width=2)
    layer.build((2, 5, 6, 8))
    called, call = [], keras.layers.Layer.__call__
    monkeypatch.setattr(
        keras.layers.Layer, "__call__", lambda self, *a, **k: called.append(self) or call(self, *a, **k)
    )
    run(layer, image((2, 5, 6, 8)), training)
    assert called == [layer]


@pytest.mark.parametrize("training", [False, True])
def test_batch_norms_keep_double_precision(training):
    layer, x = keras.layers.BatchNormalization(dtype="float64"), image((2, 3, 4, 5)).astype("float64")
    layer.build(x.shape)
    randomize(layer)
    gamma, beta, mean, variance = (to_numpy(weight.value) for weight in layer.weights)
    if training:
        mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    found = forward(layer, torch_tensor(x), training=training)
    assert_close(to_numpy(found), (x - mean) / np.sqrt(variance + layer.epsilon) * gamma + beta, 1e-14)


def test_layer_norms_and_products_keep_double_precision():
    x = image((2, 3, 4, 5)).astype("float64")
    norm, product = keras.layers.LayerNormalization(dtype="float64"), keras.layers.Dense(7, dtype="float64")
    for layer in (norm, product):
        layer.build(x.shape)
        randomize(layer)
    (gamma, beta), (kernel, bias) = ([to_numpy(weight.value) for weight in each.weights] for each in (norm, product))
    deviation = np.sqrt(x.var(axis=-1, keepdims=True) + norm.epsilon)
    expected = (x - x.mean(axis=-1, keepdims=True)) / deviation * gamma + beta
    assert_close(to_numpy(forward(norm, torch_tensor(x))), expected, 1e-14)
    assert_close(to_numpy(forward(product, torch_tensor(x))), x @ kernel + bias, 1e-14)


def torch_tensor(x):
    import torch

    return torch.from_numpy(x)


# PyTorch scripts something of its own when it first does this.
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is:DeprecationWarning")
@pytest.mark.parametrize("case", TRANSFORMED, ids=lambda case: case.id)
def test_forward_gradients_need_no_recorded_ones(case):
    """`torch.func.jvp` inside `no_grad`, where a layer takes its forms without gradients."""
    import torch

    layer, (x, direction) = without_chance(case), map(torch_tensor, (image(case.shape), image(case.shape, seed=1)))
    with torch.no_grad():
        found = torch.func.jvp(lambda x: layer(x, training=False), (x,), (direction,))[1]
        with plain_forms():
            expected = torch.func.jvp(lambda x: layer(x, training=False), (x,), (direction,))[1]
    assert_close(to_numpy(found), to_numpy(expected), 1e-5)


def test_low_rank_updates_are_applied():
    layer = without_chance(next(case for case in CASES if case.layer is layers.MBConv))
    x = image((2, 4, 6, 8))
    before = run(layer, x)
    layer.projection.enable_lora(2)
    layer.projection.lora_kernel_b.assign(np.full(layer.projection.lora_kernel_b.shape, 0.1))
    found = run(layer, x)
    assert np.abs(found - before).max() > 0.01
    with plain_forms():
        assert_close(found, run(layer, x), 1e-6)


def test_regularizers_of_activity_are_asked():
    layer = layers.MBConv(8, 16)
    layer.build((2, 5, 6, 8))
    layer.projection.activity_regularizer = keras.regularizers.L2(0.1)
    run(layer, image((2, 5, 6, 8)))
    assert len(layer.losses) == 1


def test_a_compiled_block_gives_the_same():
    import torch

    layer = without_chance(next(case for case in CASES if case.layer is layers.MBConv))
    x = torch.from_numpy(image((2, 4, 6, 8)))
    with torch.no_grad():
        found = torch.compile(layer.call, backend="eager", fullgraph=True)(x, training=False)
        assert_close(to_numpy(found), to_numpy(layer(x)), 1e-6)


@pytest.mark.parametrize("case", [case for case in CASES if case.id in ("MBConv-plain", "TransformerBlock-plain")])
def test_without_onednn_the_numbers_are_the_same(monkeypatch, case):
    layer, x = without_chance(case), image(case.shape)
    found = [run(layer, x), *gradients(layer, x)[0]]
    monkeypatch.setattr("keras_coatnet.layers.fast.torch_products.has_onednn", lambda: False)
    expected = [run(layer, x), *gradients(layer, x)[0]]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * max(1, np.abs(theirs).max()))


def test_gradients_have_gradients():
    import torch

    layer = layers.Perceptron(5, "gelu")
    layer.build((2, 3, 4))
    randomize(layer)
    x = torch.from_numpy(image((2, 3, 4))).requires_grad_()

    def second_order():
        (first,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), x)[0]

    found = second_order()
    with plain_forms():
        torch.testing.assert_close(found, second_order(), rtol=1e-4, atol=1e-5)
