"""Timing several things in turn, so that what else the machine does falls on all of them alike."""

import dataclasses
import random
import statistics
import time

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


def measure_in_turn(calls, rounds=5, seconds=SECONDS_A_MEASUREMENT, advance=lambda: None):
    """Time calls in rounds, each once a round, in an order drawn anew: what ran before a call slows or speeds it.

    Args:
        calls: {name: function without arguments}. Each runs once, untimed, before it is measured.
        rounds: how many; at least 1.
        seconds: that each measurement of a call lasts at least; as many calls are made in it.
        advance: called after each measurement.

    Returns: list of `Timing`, in the order of `calls`.
    Raises: ValueError for no calls or no rounds.
    """
    if not calls:
        raise ValueError("Nothing to time: give at least one call.")
    if rounds < 1:
        raise ValueError(f"rounds must be 1 or more; got {rounds}.")
    found = {name: [] for name in calls}
    draw = random.Random(0)
    for _ in range(rounds):
        for name in draw.sample(list(calls), len(calls)):
            calls[name]()
            found[name].append(seconds_of(calls[name], seconds))
            advance()
    return [Timing(name, tuple(measured)) for name, measured in found.items()]


def seconds_of(call, at_least):
    """Seconds of one call, as the mean of as many as fill a time."""
    start, calls = time.perf_counter(), 0
    while True:
        call()
        calls += 1
        elapsed = time.perf_counter() - start
        if elapsed >= at_least:
            return elapsed / calls
