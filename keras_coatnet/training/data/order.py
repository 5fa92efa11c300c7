"""In which order an epoch takes the pictures: a function of seed and epoch alone, so that a run can go on anywhere."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from keras_coatnet.training.augment.randomness import ORDER, generator_for
from keras_coatnet.training.scale.parts import ALONE, Parts


class Position(NamedTuple):
    """The batch that comes next; all that must be saved to go on with the same batches."""

    epoch: int = 0
    step: int = 0


@dataclass
class TrainingOrder:
    """Full batches of a random order, new in every epoch.

    All batches are full, since each new batch size compiles once more; what is left at an epoch's end waits for a later
    epoch. Fewer pictures than one batch are one batch. Batches that the devices do not divide are made smaller.

    Args:
        count: pictures.
        batch_size: pictures a batch.
        seed: of the order.
        repeats: how often an epoch takes each of its pictures, each time augmented anew ("repeated augmentation",
            arXiv 1901.09335). The epoch is no longer for it: it takes as many fewer pictures.
        parts: `Parts` of a run on several devices or in several processes.

    Raises: ValueError without pictures, or with too few for one batch.
    """

    count: int
    batch_size: int
    seed: int = 0
    repeats: int = 1
    parts: Parts = ALONE
    _epoch: tuple = field(default=(None, None), repr=False, compare=False)

    def __post_init__(self):
        if self.count < 1:
            raise ValueError("There are no pictures to train on.")
        asked = min(self.batch_size, self.count)
        self.batch_size = asked // self.parts.multiple * self.parts.multiple
        if not self.batch_size:
            raise ValueError(f"A batch must be a multiple of {self.parts.multiple} on these devices; got {asked}.")

    @property
    def steps(self):
        """Batches an epoch."""
        return self.count // self.batch_size

    @property
    def places(self):
        """Places in a batch that this process makes. Shapes: -> int (n,)"""
        return self.parts.mirrored_places(self.batch_size)

    def batch(self, epoch, step):
        """What this process's part of one batch consists of.

        Shapes: -> int (n, 2), an index of a picture and how often this epoch has had it before
        """
        return self._rows(epoch)[step * self.batch_size + self.places]

    def _rows(self, epoch):
        known, rows = self._epoch
        if known != epoch:
            rows = self._make_rows(epoch)
            self._epoch = (epoch, rows)
        return rows

    def _make_rows(self, epoch):
        order = generator_for(ORDER, self.seed, epoch).permutation(self.count)
        taken = -(-self.count // self.repeats)
        indices = np.repeat(order[:taken], self.repeats)[: self.count]
        copies = np.arange(self.count) % self.repeats
        return np.stack([indices, copies], axis=1)
