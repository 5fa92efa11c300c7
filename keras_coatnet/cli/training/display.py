"""What is seen of a training run, and how it is stopped: a bar with images a second, a line an epoch, Ctrl-C."""

import signal
import sys
import threading
import time
from contextlib import contextmanager

import keras

SECONDS_BETWEEN_NUMBERS = 0.2


class ProgressCallback(keras.callbacks.Callback):
    """Draws what `fit` reports on a rich progress bar.

    Args:
        progress: `rich.progress.Progress` with a column for the field `numbers`.
        epochs: of the whole run.
        steps: batches an epoch.
        batch_size: pictures a batch.
        start: batches that an earlier command has done.
    """

    def __init__(self, progress, epochs, steps, batch_size, start=0):
        super().__init__()
        self.progress, self.epochs, self.steps, self.batch_size = progress, epochs, steps, batch_size
        self.task = progress.add_task("compiling", total=epochs * steps, completed=start, numbers="")
        self.batches, self.since = 0, None
        self._former, self._shown_at = None, 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch + 1
        self.since = self._former = None

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        # The first batch of an epoch may compile, or wait for the loader.
        self.batches, self.since = (0, now) if self.since is None else (self.batches + 1, self.since)
        # This batch may still be computed, that before is done: reading it waits for nothing.
        known, self._former = self._former, logs
        shown = {}
        if known is not None and now - self._shown_at >= SECONDS_BETWEEN_NUMBERS:
            speed = f" {self.batches * self.batch_size / (now - self.since):.0f} images/s" if self.batches else ""
            shown["numbers"] = f"loss {known['loss']:.3f} accuracy {known['accuracy']:.1%}{speed}"
            self._shown_at = now
        self.progress.update(self.task, advance=1, description=f"epoch {self.epoch}/{self.epochs}", **shown)

    def on_test_begin(self, logs=None):
        self.progress.update(self.task, description="evaluating")

    def on_epoch_end(self, epoch, logs=None):
        held_out = f", held out {logs['val_accuracy']:.1%}" if "val_accuracy" in logs else ""
        self.progress.console.print(
            f"epoch {epoch + 1}/{self.epochs}: loss {logs['loss']:.3f}, accuracy {logs['accuracy']:.1%}{held_out}",
            highlight=False,
        )


@contextmanager
def progress_display():
    """Yields a rich progress bar with a column for the field `numbers`."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[numbers]}")) as progress:
        yield progress


class StopRequest:
    """Whether somebody has asked the run to stop."""

    requested = False


@contextmanager
def stopping_on_signals():
    """Yields a `StopRequest` that a first Ctrl-C or SIGTERM sets; a second one interrupts at once.

    A KeyboardInterrupt inside `fit` would leave the weights of a JAX model in buffers that have been given away, lost.
    """
    stop = StopRequest()

    def request(signum, frame):
        if stop.requested:
            raise KeyboardInterrupt
        stop.requested = True
        print("\nstopping after this batch; once more to stop without saving", file=sys.stderr)

    # Signals can be handled in the main thread only; elsewhere they are the caller's.
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    previous = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
