"""keras-coatnet train: a classifier from a folder of class folders."""

import dataclasses
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import keras

from keras_coatnet import registry
from keras_coatnet.cli.arguments import positive_integer, positive_number, seed
from keras_coatnet.cli.errors import INTERRUPTED, bad_input
from keras_coatnet.training.datasets import PREPROCESSING, load_images, open_image_folder
from keras_coatnet.training.loop import train
from keras_coatnet.training.run_folder import save_run


def add_parser(subparsers):
    parser = subparsers.add_parser("train", help="train a classifier on a folder of class folders")
    parser.add_argument("--data", required=True, metavar="DIR", help="one folder a class, or train/ and val/ of those")
    parser.add_argument("--model", required=True, metavar="NAME", help="a name from `keras-coatnet models`")
    parser.add_argument("--out", required=True, metavar="DIR", help="gets model.keras and classes.json")
    parser.add_argument("--epochs", type=positive_integer, default=10, metavar="N", help="(default: 10)")
    parser.add_argument("--batch-size", type=positive_integer, default=32, metavar="N", help="(default: 32)")
    parser.add_argument("--image-size", type=positive_integer, metavar="N", help="side of the pictures, in pixels")
    parser.add_argument("--learning-rate", type=positive_number, default=1e-3, metavar="X", help="(default: 0.001)")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="(default: 0)")
    parser.set_defaults(run=run)


def run(options):
    keras.utils.set_random_seed(options.seed)
    with bad_input():
        spec = registry.get_spec(options.model)
        side = options.image_size or spec.input_size
        folder = open_image_folder(options.data, options.seed)
        model = registry.build(spec.name, input_shape=(side, side, 3), num_classes=len(folder.classes))
        # Whoever predicts with the model does to pictures what was done here.
        made_ready = dataclasses.asdict(PREPROCESSING)
        model.origin = {"name": None, "input_size": side, "labels": None, "preprocessing": made_ready}
        train_data, held_out_data = _read(folder, side)
        # Made before the training: that the results cannot be written should not be found out after it.
        Path(options.out).mkdir(parents=True, exist_ok=True)
    with progress_display(options.epochs) as display, stopping_on_interrupt() as stopper:
        history = train(
            model,
            train_data,
            held_out_data,
            epochs=options.epochs,
            batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            seed=options.seed,
            callbacks=[display, stopper],
        )
    file = save_run(model, folder.classes, options.out)
    if stopper.interrupted:
        print(f"interrupted in epoch {len(history.epoch)} of {options.epochs}; the model so far is kept")
    print(f"accuracy on {len(held_out_data[0])} held-out images: {history.history['val_accuracy'][-1]:.2%}")
    print(f"model: {file}")
    return INTERRUPTED if stopper.interrupted else 0


def _read(folder, side):
    from rich.progress import Progress

    examples = folder.train + folder.held_out
    with Progress() as progress:
        task = progress.add_task("reading images", total=len(examples))
        images, labels = load_images(examples, (side, side), on_read=lambda: progress.advance(task))
    count = len(folder.train)
    return (images[:count], labels[:count]), (images[count:], labels[count:])


@contextmanager
def progress_display(epochs):
    """Yields a callback that draws a bar over the batches and a line an epoch."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[numbers]}")) as progress:
        yield ProgressCallback(progress, epochs)


class ProgressCallback(keras.callbacks.Callback):
    """Draws what `fit` reports on a rich progress bar.

    Args:
        progress: `rich.progress.Progress` with a column for the field `numbers`.
        epochs: of the whole run.
    """

    def __init__(self, progress, epochs):
        super().__init__()
        self.progress, self.epochs = progress, epochs

    def on_train_begin(self, logs=None):
        total = self.epochs * self.params["steps"]
        self.task = self.progress.add_task("compiling", total=total, numbers="")

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch + 1

    def on_train_batch_end(self, batch, logs=None):
        numbers = f"loss {logs['loss']:.3f} accuracy {logs['accuracy']:.1%}"
        self.progress.update(self.task, advance=1, description=f"epoch {self.epoch}/{self.epochs}", numbers=numbers)

    def on_epoch_end(self, epoch, logs=None):
        self.progress.console.print(
            f"epoch {self.epoch}/{self.epochs}: loss {logs['loss']:.3f}, accuracy {logs['accuracy']:.1%}, "
            f"held out {logs['val_accuracy']:.1%}",
            highlight=False,
        )


class StopOnRequest(keras.callbacks.Callback):
    """Ends the training after the batch in which `interrupted` was set.

    A KeyboardInterrupt inside `fit` would leave the weights of a JAX model in donated buffers, lost.
    """

    interrupted = False

    def on_train_batch_end(self, batch, logs=None):
        if self.interrupted:
            self.model.stop_training = True


@contextmanager
def stopping_on_interrupt():
    """Yields a callback that stops at the next batch after a first Ctrl-C; a second one interrupts at once."""
    stopper = StopOnRequest()

    def request(signum, frame):
        stopper.interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print("\nstopping after this batch; once more to stop without saving", file=sys.stderr)

    # Signals can be handled in the main thread only; elsewhere Ctrl-C is the caller's.
    in_main_thread = threading.current_thread() is threading.main_thread()
    previous = signal.signal(signal.SIGINT, request) if in_main_thread else None
    try:
        yield stopper
    finally:
        if in_main_thread:
            signal.signal(signal.SIGINT, previous)
