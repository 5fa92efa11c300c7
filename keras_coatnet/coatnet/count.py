"""Parameters and multiply-adds of a CoAtNet from its spec, nothing built."""

from typing import NamedTuple


class Count(NamedTuple):
    """Trainable weights; these and the batch norms' statistics; multiply-adds for one image."""

    trainable: int
    parameters: int
    macs: int


def count_coatnet(spec, input_shape=None):
    """Not there yet."""
    raise NotImplementedError
