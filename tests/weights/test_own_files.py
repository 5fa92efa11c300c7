"""Our own `.weights.h5` and `.keras` files through load_checkpoint and save_checkpoint."""

import keras
import numpy as np
import pytest
from checkpoints import assert_same_weights, make, untouched, weights
from running import image, run

import keras_coatnet as kc


def last_map(model):
    """The model up to its last stage."""
    return keras.Model(model.input, model.stage_tensors[-1])


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
@pytest.mark.parametrize("name", ["coatnet_0", "coatnet_rmlp_2_rw", "coatnet_0_paper"])
def test_round_trip_is_exact(name, ending, tmp_path):
    model, other = make(name), make(name, seed=1)
    path = tmp_path / f"saved{ending}"
    kc.save_checkpoint(model, path)
    report = kc.load_checkpoint(other, path)
    assert report.source == "keras"
    assert (report.left, report.fresh, report.resized) == ((), (), ())
    assert_same_weights(model, other)


def test_the_head_may_stay_out_of_a_model_without_one(tmp_path, caplog):
    model, body = make("coatnet_0_paper"), make("coatnet_0_paper", include_top=False, seed=1)
    kc.save_checkpoint(model, tmp_path / "whole.weights.h5")
    report = kc.load_checkpoint(body, tmp_path / "whole.weights.h5")
    assert {name.split("/")[0] for name in report.left} == {"head_norm", "pre_logits", "predictions"}
    assert "left out" in caplog.text
    assert "predictions" in caplog.text
    x = image((2, 64, 96, 3))
    np.testing.assert_array_equal(run(body, x), run(last_map(model), x))


def test_a_file_without_a_head_needs_leave_to_fill_a_model_with_one(tmp_path, caplog):
    body, model = make(include_top=False), make(seed=1)
    kc.save_checkpoint(body, tmp_path / "body.weights.h5")
    with (
        untouched(model),
        pytest.raises(ValueError, match=r"missing \(2\): predictions/kernel, predictions/bias.*\n.*fresh"),
    ):
        kc.load_checkpoint(model, tmp_path / "body.weights.h5")
    classifier = keras.ops.convert_to_numpy(model.get_layer("predictions").kernel)
    report = kc.load_checkpoint(model, tmp_path / "body.weights.h5", head="fresh")
    assert report.fresh == ("predictions/kernel", "predictions/bias")
    assert "fresh" in caplog.text
    np.testing.assert_array_equal(classifier, keras.ops.convert_to_numpy(model.get_layer("predictions").kernel))
    x = image((2, 64, 96, 3))
    np.testing.assert_array_equal(run(body, x), run(last_map(model), x))


def test_another_number_of_classes_needs_leave(tmp_path):
    model, two = make("coatnet_0_paper"), make("coatnet_0_paper", num_classes=2, seed=1)
    kc.save_checkpoint(model, tmp_path / "five.keras")
    with (
        untouched(two),
        pytest.raises(ValueError, match=r"predictions/kernel: \(32, 5\) in the file, \(32, 2\) in the model"),
    ):
        kc.load_checkpoint(two, tmp_path / "five.keras")
    report = kc.load_checkpoint(two, tmp_path / "five.keras", head="fresh")
    assert report.fresh == ("predictions/kernel", "predictions/bias")
    # The rest of the head is in the file in the right shape.
    for layer in ("head_norm", "pre_logits"):
        for got, want in zip(two.get_layer(layer).weights, model.get_layer(layer).weights, strict=True):
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(got), keras.ops.convert_to_numpy(want))


def test_all_mismatches_are_told_at_once(tmp_path):
    model, other = make("coatnet_0_rw"), make("coatnet_0_paper", seed=1)
    kc.save_checkpoint(model, tmp_path / "rw.weights.h5")
    with untouched(other), pytest.raises(ValueError) as error:
        kc.load_checkpoint(other, tmp_path / "rw.weights.h5")
    message = str(error.value)
    assert "missing (" in message
    assert "other shape (" in message
    assert "nothing was loaded" in message


# 2x14 is the map of the last stage here: (2*2-1) * (2*14-1) = 81 offsets, as many as a 5x5 map has.
LOOKS_SQUARE = (64, 448, 3)


def test_a_grid_is_read_and_not_guessed(tmp_path):
    model = make(input_shape=LOOKS_SQUARE)
    kc.save_checkpoint(model, tmp_path / "wide.weights.h5")
    same, square = make(input_shape=LOOKS_SQUARE, seed=1), make(input_shape=(160, 160, 3), seed=1)
    assert kc.load_checkpoint(same, tmp_path / "wide.weights.h5").resized == ()
    assert_same_weights(model, same)
    report = kc.load_checkpoint(square, tmp_path / "wide.weights.h5")
    assert report.resized == (((4, 28), (10, 10)), ((2, 14), (5, 5)))


def test_a_resize_is_said_and_can_be_refused(tmp_path, caplog):
    kc.save_checkpoint(make(), tmp_path / "small.weights.h5")
    larger = make(input_shape=(96, 64, 3), seed=1)
    with untouched(larger), pytest.raises(ValueError, match="of a 4x6 map in the file, 6x4 in the model"):
        kc.load_checkpoint(larger, tmp_path / "small.weights.h5", resize=False)
    kc.load_checkpoint(larger, tmp_path / "small.weights.h5")
    assert "resized from 4x6 to 6x4, 2x3 to 3x2 (bilinear)" in caplog.text


def test_the_rule_of_a_resize_can_be_chosen(tmp_path):
    kc.save_checkpoint(make(), tmp_path / "small.weights.h5")
    by_rule = {}
    for rule in (None, "bilinear", "geometric"):
        model = make(input_shape=(128, 96, 3), seed=1)
        kc.load_checkpoint(model, tmp_path / "small.weights.h5", resize=rule)
        by_rule[rule] = weights(model)
    tables = [path for path in by_rule[None] if path.endswith("relative_position_bias_table")]
    assert tables
    for path in tables:
        np.testing.assert_array_equal(by_rule[None][path], by_rule["bilinear"][path])
        assert not np.allclose(by_rule["bilinear"][path], by_rule["geometric"][path], atol=1e-3)


@pytest.mark.parametrize("way", ["load_checkpoint", "load_weights", "keras"])
@pytest.mark.parametrize("name", ["coatnet_0", "coatnet_0_rw"])
def test_a_model_of_open_size_takes_the_grid_of_the_file(name, way, tmp_path):
    """One resize alone lies between file and map, whichever way the weights came."""
    model = make(name)
    path = tmp_path / "saved.weights.h5"
    model.save_weights(path)
    dynamic = make(name, input_shape=(None, None, 3), seed=1)
    if way == "load_checkpoint":
        kc.load_checkpoint(dynamic, path)
    else:
        dynamic.load_weights(path)
    if way == "keras":
        dynamic.save(tmp_path / "saved.keras")
        dynamic = keras.models.load_model(tmp_path / "saved.keras")
    assert_same_weights(model, dynamic)
    larger = make(name, input_shape=(96, 128, 3), seed=1)
    larger.load_weights(path)
    for static, shape in ((model, (1, 64, 96, 3)), (larger, (1, 96, 128, 3))):
        x = image(shape)
        want = run(static, x)
        assert np.abs(run(dynamic, x) - want).max() <= 1e-5 * max(np.abs(want).max(), 1)


def test_predict_follows_a_table_that_changed_its_grid(tmp_path):
    """`predict` keeps compiled functions; a table made anew must not leave an old one in them."""
    model = make()
    model.save_weights(tmp_path / "saved.weights.h5")
    dynamic = make(input_shape=(None, None, 3), seed=1)
    x = image((1, 64, 96, 3))
    dynamic.predict(x, verbose=0)
    dynamic.load_weights(tmp_path / "saved.weights.h5")
    np.testing.assert_allclose(dynamic.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-5)


def test_an_interrupted_load_puts_everything_back(tmp_path, monkeypatch):
    model, other = make(), make(input_shape=(None, None, 3), seed=1)
    kc.save_checkpoint(model, tmp_path / "saved.weights.h5")
    table = other.get_layer("stage3_block2").attention.relative_position_bias
    assign, countdown = type(table).assign_table, iter([False, False, True])

    def interrupted(self, *arguments):
        assign(self, *arguments)
        if next(countdown, False):
            raise KeyboardInterrupt

    with untouched(other), monkeypatch.context() as patch:
        patch.setattr(type(table), "assign_table", interrupted)
        with pytest.raises(KeyboardInterrupt):
            kc.load_checkpoint(other, tmp_path / "saved.weights.h5")


def test_weights_of_an_optimizer_are_passed_over(tmp_path):
    model = make()
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "compiled.keras")
    other = make(seed=1)
    kc.load_checkpoint(other, tmp_path / "compiled.keras")
    assert_same_weights(model, other)


def test_layers_in_front_of_a_model_are_not_part_of_its_checkpoint(tmp_path):
    images = keras.Input((64, 96, 1))
    x = keras.layers.Conv2D(3, 1, name="adapter")(images)
    adapted = make(input_tensor=x, input_shape=None)
    plain = make(seed=1)
    kc.save_checkpoint(plain, tmp_path / "plain.weights.h5")
    kc.load_checkpoint(adapted, tmp_path / "plain.weights.h5")
    for layer in adapted.checkpoint_layers:
        for got, want in zip(layer.weights, plain.get_layer(layer.name).weights, strict=True):
            if "seed" not in got.path:
                np.testing.assert_array_equal(keras.ops.convert_to_numpy(got), keras.ops.convert_to_numpy(want))
