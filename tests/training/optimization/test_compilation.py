"""From a recipe to a compiled model that trains."""

import keras
import numpy as np
import pytest

import keras_coatnet as kc
from keras_coatnet.training.data.feeds import evaluation_feed, training_feed
from keras_coatnet.training.data.sources import Rows
from keras_coatnet.training.optimization.compilation import make_loss, output_activation
from keras_coatnet.training.recipes import get_recipe

SPEC = kc.coatnet_spec((1,), (8,), 4, layout="C")


def coatnet(activation="softmax", **options):
    return kc.CoAtNet(SPEC, input_shape=(32, 48, 3), num_classes=2, classifier_activation=activation, **options)


def tiny_model(activation="softmax"):
    return keras.Sequential([keras.Input((4, 6, 3)), keras.layers.Flatten(), keras.layers.Dense(2, activation)])


# One of each optimizer, loss and schedule.
@pytest.mark.parametrize("name", ["paper_in1k", "paper_finetune", "paper_jft", "a3_160", "transfer"])
def test_recipes_compile_and_take_a_few_steps(name):
    recipe = get_recipe(name).smoke()
    model = tiny_model("sigmoid" if recipe.loss == "sigmoid" else "softmax")
    model.compile(**recipe.compile_args(model, steps_per_epoch=2))
    pictures = np.random.default_rng(0).random((8, 4, 6, 3), "float32")
    labels = np.eye(2, dtype="float32")[np.arange(8) % 2]
    before = model.get_weights()
    history = model.fit(pictures, labels, batch_size=4, epochs=recipe.epochs, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert set(history) == {"loss", "accuracy", "top5"}
    assert any((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))


def test_recipe_trains_a_coatnet_on_its_own_feed():
    """Bright against dark pictures, with every kind of augmentation on, and layers of different speed."""
    generator = np.random.default_rng(0)
    rows = [(generator.integers(0, 100, (40, 60, 3), np.uint8) + np.uint8(150 * (i % 2)), i % 2) for i in range(48)]
    recipe = get_recipe("transfer").replace(
        epochs=8,
        batch_size=8,
        learning_rate=5e-3,
        warmup_epochs=0.5,
        rand_augment_layers=0,
        erasing=0.2,
        mixup=0.1,
        drop_path_rate=0.0,
    )
    model = coatnet()
    with training_feed(Rows(rows), 2, recipe, size=(32, 48), workers=0, loader="keras") as feed:
        model.compile(**recipe.compile_args(model, feed.steps))
        history = model.fit(**feed.fit_arguments(), epochs=recipe.epochs, verbose=0).history
    # Guessing costs 0.69; labels smoothed by 0.1 cannot cost less than 0.2.
    assert history["loss"][-1] < 0.45
    assert history["accuracy"][-1] > 0.85
    held_out = evaluation_feed(Rows(rows[:13]), 2, recipe.preprocessing(), (32, 48), batch_size=8, workers=0)
    result = model.evaluate(held_out.dataset(), return_dict=True, verbose=0)
    assert set(result) == {"loss", "accuracy", "top5"}
    assert result["top5"] == 1


@pytest.mark.parametrize("activation", [None, "softmax", "sigmoid"])
def test_activation_of_a_models_outputs_is_found(activation):
    assert output_activation(coatnet(activation)) == (activation or "linear")


def test_activation_is_found_behind_other_layers():
    inner = coatnet(None)
    around = keras.Sequential([keras.Input((32, 48, 3)), inner])
    assert output_activation(around) == "linear"
    assert output_activation(keras.Sequential([around, keras.layers.Softmax()])) == "softmax"
    assert output_activation(keras.Sequential([around, keras.layers.Activation("sigmoid")])) == "sigmoid"


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_losses_of_logits_and_of_probabilities_are_equal(loss):
    logits = np.random.default_rng(0).standard_normal((5, 2)).astype("float32")
    labels = np.float32([[0.9, 0.1], [0, 1], [1, 0], [0.5, 0.5], [1, 0]])
    probabilities = keras.ops.softmax(logits) if loss == "softmax" else keras.ops.sigmoid(logits)
    ours = float(make_loss(loss, tiny_model(loss))(labels, probabilities))
    np.testing.assert_allclose(float(make_loss(loss, tiny_model(None))(labels, logits)), ours, rtol=1e-5)


def test_binary_loss_of_softmax_is_the_mean_over_classes():
    probabilities, labels = np.float32([[0.8, 0.2]]), np.float32([[1, 1]])
    expected = -np.mean([np.log(0.8), np.log(0.2)])
    assert float(make_loss("binary_on_softmax", tiny_model())(labels, probabilities)) == pytest.approx(
        expected, rel=1e-5
    )


def test_loss_that_does_not_suit_the_outputs_is_refused_before_anything_is_changed():
    model = coatnet("sigmoid")
    with pytest.raises(
        ValueError, match=r"'binary_on_softmax' needs outputs that are softmax; those of .* are sigmoid"
    ):
        get_recipe("a3_160").replace(frozen_stages=1).compile_args(model, 100)
    assert model.get_layer("stem").trainable


def test_padding_weighs_nothing_in_loss_and_metrics():
    model = tiny_model()
    arguments = get_recipe("transfer").smoke().compile_args(model, 10)
    model.compile(**arguments)
    pictures = np.random.default_rng(0).random((4, 4, 6, 3), "float32")
    labels = np.eye(2, dtype="float32")[[0, 1, 1, 0]]
    expected = model.evaluate(pictures[:3], labels[:3], return_dict=True, verbose=0)
    weighed = model.evaluate(
        pictures, labels, sample_weight=np.float32([1, 1, 1, 0]), batch_size=4, return_dict=True, verbose=0
    )
    assert weighed == pytest.approx(expected, rel=1e-5)


def test_frozen_stages_of_the_recipe_are_frozen():
    model = coatnet()
    get_recipe("transfer").smoke().replace(frozen_stages=1).compile_args(model, 10)
    assert not model.get_layer("stem").trainable


@pytest.mark.parametrize("on", [False, True])
def test_parts_are_rematerialised_where_the_recipe_says_so(on):
    model = kc.CoAtNet(kc.coatnet_spec((1,), (8,), 4, layout="T", head_dim=4), input_shape=(32, 48, 3), num_classes=2)
    get_recipe("transfer").smoke().replace(rematerialize=on).compile_args(model, 10)
    block = model.get_layer("stage1_block1")
    assert (block.rematerialize, block.attention.rematerialize) == (on, on)


def test_tensorflow_on_a_processor_is_not_compiled_by_xla():
    arguments = get_recipe("transfer").smoke().compile_args(tiny_model(), 10)
    expected = False if keras.backend.backend() == "tensorflow" else "auto"
    assert arguments["jit_compile"] == expected
