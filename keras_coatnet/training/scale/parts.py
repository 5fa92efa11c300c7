"""Which part of a batch a process makes, and what the size of a batch has to be a multiple of."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Parts:
    """How batches are cut.

    Args:
        index, count: of this process's part, and of all of them.
        multiple: batches are of multiples of it.
    """

    index: int = 0
    count: int = 1
    multiple: int = 1

    def mirrored_places(self, batch_size):
        """Places in a batch that this part has: each with its mirror image, since pictures are mixed with those.

        Shapes: -> int (batch_size / count,)
        """
        places = np.arange(batch_size)
        if self.count == 1:
            return places
        half = batch_size // self.count // 2
        front = places[self.index * half : (self.index + 1) * half]
        return np.concatenate([front, batch_size - 1 - front[::-1]])

    def slice_of(self, batch_size):
        """The places in a batch that this part has, in a row."""
        size = batch_size // self.count
        return range(self.index * size, (self.index + 1) * size)


# One device and one process.
ALONE = Parts()
