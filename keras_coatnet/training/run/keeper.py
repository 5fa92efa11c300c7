"""The callback that keeps a run: counts its place, saves it, records its epochs, and stops it in good order."""

import collections
import logging
import math
import time

import keras

from keras_coatnet.training.data.order import Position
from keras_coatnet.training.run.checkpoints import NotFinite, load_metrics, save_state
from keras_coatnet.training.run.history import make_tensorboard, write_history
from keras_coatnet.training.run.random_state import read_random_states, write_random_states
from keras_coatnet.training.scale.processes import any_process, is_first_process
from keras_coatnet.training.scale.values import even_out

log = logging.getLogger("keras_coatnet")


class Stopped(Exception):
    """The run was asked to stop, and has been saved if it has a folder."""


class Keeper(keras.callbacks.Callback):
    """Keeps `state` up to date, on disk too.

    Args:
        model: `keras.Model` that is trained.
        state: `RunState` to go on from.
        steps: batches an epoch.
        batch_size: pictures a batch.
        folder: of the run, gets the history; None keeps nothing on disk.
        resume_folder: gets the checkpoint.
        save_every: batches between two checkpoints; None saves with the last batch of each epoch.
        stop: anything with `requested`, which is looked at after every batch; None never stops.

    Raises (out of `fit`):
        Stopped: `stop` was requested.
        NotFinite: the loss is not a number; the last checkpoint is from before.
    """

    def __init__(self, model, state, steps, batch_size, folder=None, resume_folder=None, save_every=None, stop=None):
        super().__init__()
        self.trained, self.state, self.steps, self.batch_size = model, state, steps, batch_size
        self.folder, self.resume_folder = folder if is_first_process() else None, resume_folder
        self.save_every, self.stop = save_every, stop
        self.saved = state.position if state.position != Position() else None
        self._broken_off = 0 < state.position.step < steps
        self._unread = collections.deque()
        self._tensorboard = None if self.folder is None else make_tensorboard(folder)

    def on_train_begin(self, logs=None):
        self._random = read_random_states()

    def on_epoch_begin(self, epoch, logs=None):
        self._first = self.state.position.step
        self._started = time.perf_counter() - self.state.seconds
        self._unread.clear()
        if self._broken_off:
            # `fit` has just reset them.
            load_metrics(self.resume_folder, self.model, self.trained)
            self._broken_off = False

    def on_train_batch_begin(self, batch, logs=None):
        if self._random is not None:
            # PyTorch's loaders draw a number whenever they start, which is more often in a run that was broken off.
            write_random_states(self._random)
            self._random = None

    def on_train_batch_end(self, batch, logs=None):
        state = self.state
        state.position = Position(state.position.epoch, self._first + batch + 1)
        state.logs, state.seconds = logs, time.perf_counter() - self._started
        self._unread.append((state.position, logs))
        stop = self._stop_requested()
        saves = stop or self._is_due()
        # Reading a loss waits until it is computed, with nothing left for the device to do: mostly it is that of the
        # batch before. None is missed, since it is a mean over the epoch, which stays no number once it is none.
        self._read_losses(leave=0 if saves or state.position.step == self.steps else 1)
        if saves:
            self.save()
        if stop:
            raise Stopped

    def on_test_begin(self, logs=None):
        even_out(self.model)
        self._random = read_random_states()

    def on_test_end(self, logs=None):
        write_random_states(self._random)
        self._random = None

    def on_test_batch_end(self, batch, logs=None):
        # Evaluations are done again; a place that has not been saved is left to the next batch.
        if self._stop_requested() and self.saved == self.state.position:
            raise Stopped

    def on_epoch_end(self, epoch, logs=None):
        state, seconds = self.state, time.perf_counter() - self._started
        row = {
            "epoch": epoch + 1,
            **{name: float(value) for name, value in logs.items()},
            "learning_rate": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            "image_size": self.trained.input_shape[1],
            "seconds": round(seconds, 3),
            "images_per_second": round(self.steps * self.batch_size / max(state.seconds, 1e-9), 1),
        }
        state.history.append(row)
        state.position, state.logs, state.seconds = Position(epoch + 1, 0), {}, 0.0
        if self.folder is not None:
            self._record(row)

    def _read_losses(self, leave):
        """Stops the run at a loss that is no number; the last `leave` ones stay unread."""
        while len(self._unread) > leave:
            position, logs = self._unread.popleft()
            if not math.isfinite(logs["loss"]):
                raise NotFinite(self._lost(position))

    def save(self):
        """Writes a checkpoint; where there is no room, says so and goes on with the former one."""
        if self.resume_folder is None:
            return
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        self.state.logs = dict(self.state.logs)
        even_out(self.model)
        failed = False
        try:
            save_state(self.resume_folder, self.model, self.trained, self.state)
        except NotFinite as error:
            raise NotFinite(f"{self._lost(self.state.position)} ({error})") from None
        except OSError as error:
            log.warning("Could not save %s (%s); %s.", place(self.state.position, self.steps), error, self._kept())
            failed = True
        if not any_process(failed):
            self.saved = self.state.position

    def _record(self, row):
        try:
            write_history(self.folder, self.state.history)
            if self._tensorboard is not None:
                self._tensorboard(row)
        except OSError as error:
            log.warning("Could not write the history (%s); it is in the next checkpoint.", error)

    def _is_due(self):
        epoch, step = self.state.position
        if self.save_every is None:
            return step == self.steps
        return (epoch * self.steps + step) % self.save_every == 0

    def _stop_requested(self):
        # A process that stopped alone would leave the others waiting.
        return any_process(self.stop is not None and self.stop.requested)

    def _lost(self, position):
        return f"the loss is not a number any more, {place(position, self.steps)}; {self._kept()}"

    def _kept(self):
        if self.saved is None:
            return "there is no checkpoint yet"
        return f"the checkpoint of {place(self.saved, self.steps)} is kept"


def place(position, steps):
    """ "epoch 3, step 17 of 100"."""
    return f"epoch {position.epoch + 1}, step {position.step} of {steps}"
