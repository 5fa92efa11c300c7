"""A run that was broken off and one that never was end with the same bits."""

import errno
import logging

import keras
import numpy as np
import pytest
from small_runs import RECIPE, STEPS, StopAfter, make_feeds, make_model, make_tiny_model, run, values

from keras_coatnet.training.optimization.averaging import AveragedEvaluation, averaged_pairs
from keras_coatnet.training.run import checkpoints
from keras_coatnet.training.run.checkpoints import STATE_FILE, BadCheckpoint, NotFinite, read_about
from keras_coatnet.training.run.keeper import Stopped


@pytest.fixture(scope="module")
def straight():
    return run()


def without_times(history):
    return [{name: value for name, value in row.items() if "second" not in name} for row in history]


def test_resumed_run_is_equal_to_the_last_bit(straight, tmp_path):
    """Broken off after a batch that only accumulates, then in an evaluation behind an epoch's last batch."""
    for looks, position in ((0, [0, 1]), (STEPS - 1, [0, STEPS])):
        with pytest.raises(Stopped):
            run(resume_folder=tmp_path, stop=StopAfter(looks))
        assert read_about(tmp_path)["state"]["position"] == position
    model, history = run(model=make_model(seed=7), resume_folder=tmp_path)
    for ours, expected in zip(values(model), values(straight[0]), strict=True):
        np.testing.assert_array_equal(ours, expected)
    assert without_times(history) == without_times(straight[1])


def test_run_in_float16_goes_on_with_its_loss_scale(tmp_path):
    keras.utils.set_random_seed(2)
    models = [make_tiny_model(dtype="mixed_float16") for _ in range(2)]
    models[1].set_weights(models[0].get_weights())
    run(model=models[0])
    optimizer = models[0].optimizer
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    assert int(optimizer.step_counter) > 0 or float(optimizer.dynamic_scale) < optimizer.initial_scale
    with pytest.raises(Stopped):
        run(model=models[1], resume_folder=tmp_path, stop=StopAfter(STEPS + 1))
    resumed = make_tiny_model(dtype="mixed_float16")
    run(model=resumed, resume_folder=tmp_path)
    for part in (lambda model: model, lambda model: model.optimizer):
        for ours, expected in zip(values(part(resumed)), values(part(models[0])), strict=True):
            np.testing.assert_array_equal(ours, expected)


def test_last_weights_are_the_averages_and_what_was_evaluated(straight):
    model, history = straight
    pairs = averaged_pairs(model.optimizer)
    assert pairs
    for variable, average in pairs:
        np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(each.value) for each in (variable, average)))
    found = model.evaluate(make_feeds()[1].dataset(), return_dict=True, verbose=0, callbacks=[AveragedEvaluation()])
    assert found["loss"] == pytest.approx(history[-1]["val_loss"], rel=1e-6)


def test_evaluating_averages_leaves_the_raw_weights_to_the_bit():
    model = make_model()
    feed, held_out = make_feeds()
    model.compile(**RECIPE.compile_args(model, feed.steps))
    for _, average in averaged_pairs(model.optimizer):
        average.assign(average + 0.1)
    before = [*values(model), *(np.array(keras.ops.convert_to_numpy(v.value)) for v in model.optimizer.variables)]
    raw = model.evaluate(held_out.dataset(), verbose=0)
    assert model.evaluate(held_out.dataset(), verbose=0, callbacks=[AveragedEvaluation()]) != raw
    after = [*values(model), *(np.array(keras.ops.convert_to_numpy(v.value)) for v in model.optimizer.variables)]
    for ours, expected in zip(after, before, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    class Ruin(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                kernel = self.model.trainable_variables[0]
                kernel.assign(kernel * float("nan"))

    with pytest.raises(NotFinite, match=r"epoch 2, step 1 of 4; the checkpoint of epoch 1, step 4 of 4 is kept"):
        run(model=make_tiny_model(), resume_folder=tmp_path, save_every=4, callbacks=[Ruin()])
    assert read_about(tmp_path)["state"]["position"] == [0, 4]


def test_weights_that_are_no_numbers_are_never_saved(tmp_path):
    model = make_tiny_model()
    feed, _ = make_feeds()
    model.compile(**RECIPE.compile_args(model, feed.steps))
    checkpoints.save_state(tmp_path, model, model, checkpoints.RunState())
    before = (tmp_path / STATE_FILE).read_bytes()
    model.trainable_variables[0].assign(model.trainable_variables[0] * float("inf"))
    with pytest.raises(NotFinite, match="kernel"):
        checkpoints.save_state(tmp_path, model, model, checkpoints.RunState())
    assert (tmp_path / STATE_FILE).read_bytes() == before


def test_full_disk_is_told_in_one_line_and_the_last_good_checkpoint_is_kept(tmp_path, monkeypatch, caplog):
    savez, saved = np.savez, []

    def save_until_full(file, **arrays):
        if saved:
            file.write(b"half a checkpoint")
            raise OSError(errno.ENOSPC, "No space left on device")
        savez(file, **arrays)
        saved.append(file)

    monkeypatch.setattr(np, "savez", save_until_full)
    with caplog.at_level(logging.WARNING, "keras_coatnet"):
        run(model=make_tiny_model(), resume_folder=tmp_path)
    assert caplog.messages == [
        "Could not save epoch 2, step 4 of 4 ([Errno 28] No space left on device); "
        "the checkpoint of epoch 1, step 4 of 4 is kept."
    ]
    assert [path.name for path in tmp_path.iterdir()] == [STATE_FILE]
    assert read_about(tmp_path)["state"]["position"] == [0, 4]


def test_checkpoint_of_another_model_is_refused(tmp_path):
    with pytest.raises(Stopped):
        run(model=make_tiny_model(), resume_folder=tmp_path, stop=StopAfter(0))
    with pytest.raises(BadCheckpoint, match=r"holds \d+ variables of the optimizer, which has \d+ here"):
        run(RECIPE.replace(ema_decay=None), make_tiny_model(), resume_folder=tmp_path)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: b"no checkpoint", lambda data: b""]
)
def test_damaged_checkpoint_is_refused_by_name(tmp_path, damage):
    model = make_tiny_model()
    feed, _ = make_feeds()
    model.compile(**RECIPE.compile_args(model, feed.steps))
    checkpoints.save_state(tmp_path, model, model, checkpoints.RunState())
    file = tmp_path / STATE_FILE
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(BadCheckpoint, match=f"{STATE_FILE}: cannot be read .*; remove it to start anew"):
        read_about(tmp_path)


def test_callbacks_of_the_users_see_each_epoch_and_may_end_the_run():
    class Enough(keras.callbacks.Callback):
        seen = ()

        def on_epoch_end(self, epoch, logs=None):
            self.seen = (*self.seen, (epoch, sorted(logs)))
            self.model.stop_training = True

    enough = Enough()
    _, history = run(model=make_tiny_model(), callbacks=[enough])
    assert enough.seen == ((0, ["accuracy", "loss", "top5", "val_accuracy", "val_loss", "val_top5"]),)
    assert [row["epoch"] for row in history] == [1]
