"""Timing several things in turn, so that what else the machine does falls on all of them alike."""

import dataclasses
import random
import statistics

# A measurement lasts at least so long: single calls of a few milliseconds scatter too much.
SECONDS_A_MEASUREMENT = 0.5


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds of one call, a number a round.

    Args:
        name: of what was timed.
        seconds: of a call in each round.
    """

    name: str
    seconds: tuple

    @property
    def median(self):
        return statistics.median(self.seconds)

    def speed_over(self, other):
        """How many times as fast as another: (median, lowest, highest) of the rounds' ratios."""
        ratios = [theirs / ours for ours, theirs in zip(self.seconds, other.seconds, strict=True)]
        return statistics.median(ratios), min(ratios), max(ratios)


def measure_in_turn(measures, rounds=5, seconds=SECONDS_A_MEASUREMENT, advance=lambda: None):
    """Measure in rounds, each thing once a round, in an order drawn anew: what ran before slows or speeds what is next.

    Args:
        measures: {name: function from the seconds that it shall last at least to the seconds of one call}.
        rounds: how many; at least 1.
        seconds: that each measurement lasts at least.
        advance: called after each measurement.

    Returns: list of `Timing`, in the order of `measures`.
    Raises: ValueError for nothing to measure or no rounds.
    """
    if not measures:
        raise ValueError("Nothing to time: give at least one measure.")
    if rounds < 1:
        raise ValueError(f"rounds must be 1 or more; got {rounds}.")
    found = {name: [] for name in measures}
    draw = random.Random(0)
    for _ in range(rounds):
        for name in draw.sample(list(measures), len(measures)):
            found[name].append(measures[name](seconds))
            advance()
    return [Timing(name, tuple(measured)) for name, measured in found.items()]
