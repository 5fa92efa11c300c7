"""What a batch came to is read one batch later, and all of it before anything is saved."""

import numpy as np
import pytest

from keras_coatnet.training.run.checkpoints import NotFinite, RunState
from keras_coatnet.training.run.keeper import Keeper
from keras_coatnet.training.run.late_logs import LateCallbacks, LateLogs

pytestmark = pytest.mark.backend_free


class Number:
    """A loss on a device, which remembers that somebody waited for it."""

    def __init__(self, value):
        self.value, self.read = value, False

    def __float__(self):
        self.read = True
        return self.value


def fit(losses, save_every=None):
    """Runs the callbacks of an epoch; (losses, how many had been read behind each batch, batches before each save)."""
    numbers, reads, saves = [Number(loss) for loss in losses], [], []
    keeper = Keeper(None, RunState(), len(losses), 2, save_every=save_every)
    keeper.save = lambda: saves.append(keeper.state.position.step)
    callbacks = LateCallbacks([keeper])
    callbacks.on_epoch_begin(0)
    try:
        for batch, number in enumerate(numbers):
            callbacks.on_train_batch_end(batch, {"loss": number})
            reads.append(sum(each.read for each in numbers))
    except NotFinite as error:
        return str(error), reads, saves
    return None, reads, saves


def test_losses_are_read_one_batch_later_and_all_of_them_at_the_end():
    assert fit([3.0, 2.0, 1.0, 0.5]) == (None, [0, 1, 2, 4], [4])


def test_losses_are_read_before_a_checkpoint_is_written():
    assert fit([3.0, 2.0, 1.0, 0.5, 0.4], save_every=2) == (None, [0, 2, 2, 4, 5], [2, 4])


@pytest.mark.parametrize(("step", "seen"), [(1, 1), (2, 1), (3, 3), (4, 3), (5, 4)])
def test_loss_that_is_no_number_is_found_by_its_batch_and_never_saved(step, seen):
    losses = [1.0] * (step - 1) + [np.nan] * (6 - step)
    message, reads, saves = fit(losses, save_every=2)
    assert f"epoch 1, step {step} of 5" in message
    assert len(reads) == seen
    assert all(saved < step for saved in saves)


def test_logs_are_a_mapping_of_floats():
    logs = LateLogs({"loss": Number(2.0), "accuracy": Number(0.5)})
    assert dict(logs) == {"loss": 2.0, "accuracy": 0.5}
    assert logs.get("top5") is None
    assert len(LateLogs(None)) == 0
