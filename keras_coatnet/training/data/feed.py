"""What training and evaluation are fed with: batches made ahead by other processes, and a list of bad pictures."""

import logging
import threading

from keras_coatnet.training.data.loaders import choose_loader, make_stream
from keras_coatnet.training.data.order import Position
from keras_coatnet.training.data.workers import Workers, default_workers

log = logging.getLogger("keras_coatnet")


class Feed:
    """Batches of a maker, for `model.fit`, `model.evaluate` or a loop of one's own.

    A training feed never ends, and `fit` has to be told how long an epoch is: `model.fit(**feed.fit_arguments())`. The
    batches follow from the maker's seed and a `Position` alone: a run that broke off at one goes on with
    `fit_arguments(position)`, whatever the loader and however many processes.

    Args:
        maker: `TrainingBatchMaker` or `EvaluationBatchMaker`.
        loader: "tf.data", "grain", "keras", or "auto", the first of these that is installed. The batches are the same.
        workers: processes that make batches; 0 makes them in a thread of this process, None is one a core but one, at
            most 8.

    Attributes:
        steps: batches an epoch.
        skipped: dictionary from the names of pictures that could not be read to the reasons; each is logged once.

    Raises:
        ValueError: another loader.
        ModuleNotFoundError: the loader's library is not installed.
    """

    def __init__(self, maker, loader="auto", workers=None):
        self.loader = choose_loader(loader)
        self.maker = maker
        count = default_workers() if workers is None else workers
        self.threads = max(1, count)
        self._workers = Workers(maker, count) if count else None
        self._lock = threading.Lock()
        self.skipped = {}

    @property
    def steps(self):
        return self.maker.steps

    @property
    def batch_size(self):
        """Pictures a batch, over all processes."""
        return self.maker.batch_size

    def dataset(self, position=None):
        """The batches from a position on: without end for training, one pass for evaluation.

        Returns: `tf.data.Dataset`, `grain.IterDataset` or `keras.utils.PyDataset`, of (images, labels) for training
            and (images, labels, weights) for evaluation.
        """
        epoch, step = position or Position()
        stop = None if self.maker.endless else self.steps
        return make_stream(self.loader, self.arrays, self.maker.shapes, self.threads, epoch * self.steps + step, stop)

    def fit_arguments(self, position=None):
        """`x`, `steps_per_epoch`, `initial_epoch` and `shuffle` for `model.fit`.

        From the middle of an epoch on, `steps_per_epoch` is what is left of it, so `epochs` must end with that epoch;
        the next ones are another call.
        """
        position = position or Position()
        return {
            "x": self.dataset(position),
            "steps_per_epoch": self.steps - position.step,
            "initial_epoch": position.epoch,
            # They are shuffled already; Keras would warn that it cannot.
            "shuffle": False,
        }

    def arrays(self, step):
        """The arrays of one batch; `step` counts from the start of the first epoch."""
        batch = (self._workers or self.maker).batch(*divmod(int(step), self.steps))
        for index, reason in batch.skipped:
            self._note(self.maker.source.name(index), reason)
        return batch.arrays

    def _note(self, name, reason):
        with self._lock:
            if name in self.skipped:
                return
            self.skipped[name] = reason
        log.warning("Skipped a picture that cannot be read: %s", reason)

    def close(self):
        """Ends the processes; there are no more batches after it."""
        if self._workers is not None:
            self._workers.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
