"""The convolutional part image by image gives what the whole batch gives, and only where that is what was asked for."""

import types

import keras
import numpy as np
import pytest
from narrow_twins import narrow_twin
from running import BACKEND, image, quick_compilation, randomize

import keras_coatnet as kc
from keras_coatnet.deploy.formats import stablehlo
from keras_coatnet.families import by_image
from keras_coatnet.families.by_image import images_a_turn
from keras_coatnet.layers.fast import jax_depthwise
from keras_coatnet.layers.fast.forward import plain_forms

pytestmark = pytest.mark.skipif(BACKEND != "jax", reason="the loop is JAX's")
SIDE = 32


def twin(name="coatnet_0_rw", **options):
    model = kc.CoAtNet(narrow_twin(name), **{"input_shape": (SIDE, SIDE, 3), "num_classes": 5, **options})
    randomize(model)
    return model


@pytest.fixture(scope="module")
def model():
    return twin()


@pytest.fixture(autouse=True)
def _small_images_are_large(monkeypatch):
    monkeypatch.setattr(by_image, "AT_ONCE", 1)


def loops(function, *arguments):
    """How many loops JAX sees in a function."""
    import jax

    return str(jax.make_jaxpr(function)(*arguments)).count("scan[")


def answer(model, training=False):
    return lambda x: model(x, training=training)


@pytest.mark.parametrize("name", ["coatnet_0_rw", "coatnext_nano_rw"])
def test_answers_are_those_of_the_whole_batch(name):
    import jax

    model, x = twin(name), image((3, SIDE, SIDE, 3))
    assert loops(answer(model), x) == 1
    with quick_compilation():
        found = np.asarray(jax.jit(answer(model))(x))
        with plain_forms():
            assert loops(answer(model), x) == 0
            expected = np.asarray(jax.jit(answer(model))(x))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert found.std() > 1e-3


def test_predict_and_evaluate_take_it_whatever_is_left_for_the_last_batch(monkeypatch):
    model, x = twin(), image((5, SIDE, SIDE, 3))
    seen = []
    divide = by_image.divide
    monkeypatch.setattr(by_image, "divide", lambda model: seen.append(model) or divide(model))
    model.compile(loss="sparse_categorical_crossentropy")
    with quick_compilation():
        found = model.predict(x, batch_size=2, verbose=0)
        loss = model.evaluate(x, np.arange(5), batch_size=2, verbose=0)
        assert seen
        model.forget_compiled_functions()
        with plain_forms():
            np.testing.assert_allclose(found, model.predict(x, batch_size=5, verbose=0), rtol=0, atol=1e-5)
    np.testing.assert_allclose(loss, -np.log(found[np.arange(5), np.arange(5)]).mean(), rtol=1e-4)


def test_the_model_stays_as_it_was():
    model = twin()
    config, layers = model.get_config(), list(model._flatten_layers())
    paths = [weight.path for weight in model.weights]
    assert loops(answer(model), image((2, SIDE, SIDE, 3))) == 1
    assert model.get_config() == config
    assert list(model._flatten_layers()) == layers
    assert [weight.path for weight in model.weights] == paths
    assert [len(layer._inbound_nodes) for layer in model.layers] == [1] * len(model.layers)


@pytest.mark.parametrize("training", [None, True])
def test_training_and_calls_that_do_not_say_run_whole(model, training):
    state = [variable.value for variable in model.non_trainable_variables]
    trainable = [variable.value for variable in model.trainable_variables]

    def call(x):
        return model.stateless_call(trainable, state, x, training=training)[0]

    assert loops(call, image((2, SIDE, SIDE, 3))) == 0


def test_one_image_runs_whole(model):
    assert loops(answer(model), image((1, SIDE, SIDE, 3))) == 0


def test_a_batch_without_a_known_size_runs_whole(model):
    import jax

    size = jax.export.symbolic_shape("batch")[0]
    exported = jax.export.export(jax.jit(answer(model)))(jax.ShapeDtypeStruct((size, SIDE, SIDE, 3), "float32"))
    assert "stablehlo.while" not in exported.mlir_module()


def test_an_exported_function_of_a_fixed_batch_runs_whole(model, tmp_path):
    import jax

    stablehlo.write(model, tmp_path / "file", types.SimpleNamespace(batch_size=2))
    exported = jax.export.deserialize(bytearray((tmp_path / "file").read_bytes()))
    assert "stablehlo.while" not in exported.mlir_module()


def test_outside_of_compiled_functions_nothing_is_compiled(model):
    images = keras.ops.convert_to_tensor(image((2, SIDE, SIDE, 3)))
    assert by_image.answer_by_image(model, images, training=False) is None


def test_gradients_run_whole(model, monkeypatch):
    import jax

    # The gradients of depthwise kernels have loops of their own.
    monkeypatch.setattr(jax_depthwise, "may_derive", lambda *_: False)
    x = image((2, SIDE, SIDE, 3))
    trainable = [variable.value for variable in model.trainable_variables]
    state = [variable.value for variable in model.non_trainable_variables]

    def loss(trainable, x):
        return model.stateless_call(trainable, state, x, training=False)[0].sum()

    assert loops(loss, trainable, x) == 1
    assert loops(jax.grad(loss), trainable, x) == 0
    assert loops(jax.grad(loss, argnums=1), trainable, x) == 0
    assert loops(jax.vmap(loss, in_axes=(None, 0)), trainable, x[None]) == 0


def test_devices_that_share_the_work_get_the_whole_batch(model, monkeypatch):
    monkeypatch.setattr(keras.distribution, "distribution", lambda: object())
    assert loops(answer(model), image((2, SIDE, SIDE, 3))) == 0


def test_other_platforms_get_the_whole_batch(model, monkeypatch):
    monkeypatch.setattr("keras_coatnet.layers.fast.jax_forms.runs_on_cpu", lambda: False)
    assert loops(answer(model), image((2, SIDE, SIDE, 3))) == 0


def test_layers_in_front_see_the_whole_batch():
    inputs = keras.Input((SIDE, SIDE, 3))
    centered = keras.layers.Lambda(lambda x: x - keras.ops.mean(x, axis=0))(inputs)
    model = twin(input_shape=None, input_tensor=centered)
    assert loops(answer(model), image((2, SIDE, SIDE, 3))) == 0


def test_outputs_from_the_part_in_front_run_whole(model):
    stem = model.get_layer("stem").output
    both = keras.ops.mean(stem, axis=(1, 2))[:, :5] + model.output
    for outputs in (model.stage_tensors, both, {"classes": model.output}):
        other = type(model)(model.inputs, outputs, spec=model.spec)
        assert loops(answer(other), image((2, SIDE, SIDE, 3))) == 0


def test_losses_of_layers_are_kept():
    import jax

    model = twin()
    model.get_layer("stem").convolution1.activity_regularizer = keras.regularizers.L2(0.1)

    def losses(x):
        model(x, training=False)
        return model.losses

    assert len(jax.eval_shape(losses, image((2, SIDE, SIDE, 3)))) == 1


def test_models_of_other_classes_and_without_a_spec_run_whole(model):
    coat = kc.build(kc.narrow("coat_lite_mini", (1, 1, 1, 1), (8, 16, 16, 16)), input_shape=(SIDE, SIDE, 3))
    for each in (coat, keras.models.clone_model(model)):
        assert loops(answer(each), image((2, SIDE, SIDE, 3))) == 0


@pytest.mark.parametrize(
    ("batch", "side", "turn"),
    [(8, 28, 1), (8, 8, 4), (6, 8, 3), (2, 8, None), (7, 8, None), (7, 10, None), (4, 4, None), (32, 4, 16)],
)
def test_small_images_go_together(monkeypatch, batch, side, turn):
    monkeypatch.setattr(by_image, "AT_ONCE", 1 << 16)
    assert images_a_turn(batch, (1, side, side, 192)) == turn
