"""Random numbers that depend on what they are for, never on who drew before."""

import numpy as np

# One stream for each use, so that a further draw in one of them moves no other.
ORDER, PICTURE, BATCH = 0, 1, 2


def generator_for(stream, *numbers):
    """A generator of its own for a use.

    Args:
        stream: `ORDER`, `PICTURE` or `BATCH`.
        numbers: whole numbers from 0 up, such as seed, epoch and index.

    Returns: `numpy.random.Generator`; the same for the same numbers.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([stream, *numbers])))
