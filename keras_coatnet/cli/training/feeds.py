"""The batches of a run, in each size that its pictures have."""

import contextlib

from keras_coatnet.training.data.feeds import evaluation_feed, training_feed


class RunFeeds(contextlib.ExitStack):
    """Makes feeds when they are asked for, and closes them all at the end of the block.

    Args:
        data: of `open_data`.
        recipe: `Recipe`.
        made_ready: `Preprocessing` of the model.
        seed: of the run.
    """

    def __init__(self, data, recipe, made_ready, seed):
        super().__init__()
        self.data, self.recipe, self.made_ready, self.seed = data, recipe, made_ready, seed
        self._pairs = {}

    def of_size(self, size):
        """(`Feed` of training batches, `Feed` of the held-out pictures) of a (height, width)."""
        if size not in self._pairs:
            made_ready, classes = self.made_ready, len(self.data.classes)
            feed = training_feed(
                self.data.train,
                classes,
                self.recipe,
                size=size,
                mean=made_ready.mean,
                std=made_ready.std,
                seed=self.seed,
            )
            held_out = self.evaluation(self.data.held_out, size, feed.batch_size)
            self._pairs[size] = self.enter_context(feed), held_out
        return self._pairs[size]

    def evaluation(self, source, size, batch_size):
        """`Feed` of pictures to evaluate on."""
        classes = len(self.data.classes)
        return self.enter_context(evaluation_feed(source, classes, self.made_ready, size, batch_size=batch_size))

    @property
    def skipped(self):
        """Pictures that could not be read so far, with the reasons."""
        return {name: reason for pair in self._pairs.values() for feed in pair for name, reason in feed.skipped.items()}
