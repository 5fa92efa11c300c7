"""Timing in turn: order, rounds, ratios. No test here says how long anything may take."""

import pytest

from keras_coatnet.benchmark.measure import Timing, measure_in_turn

pytestmark = pytest.mark.backend_free


def test_every_round_has_each_once_in_changing_order():
    made = []
    measures = {name: lambda at_least, name=name: made.append(name) or at_least for name in "abc"}
    timings = measure_in_turn(measures, rounds=8, seconds=0.25)
    rounds = [made[start : start + 3] for start in range(0, len(made), 3)]
    assert len(rounds) == 8
    assert all(sorted(order) == ["a", "b", "c"] for order in rounds)
    assert len({tuple(order) for order in rounds}) > 1
    assert [timing.name for timing in timings] == ["a", "b", "c"]
    assert all(timing.seconds == (0.25,) * 8 for timing in timings)


def test_progress_advances_once_a_measurement():
    steps = []
    measure_in_turn({"a": float, "b": float}, rounds=2, advance=lambda: steps.append(1))
    assert len(steps) == 4


def test_speed_is_the_median_of_the_rounds_ratios():
    slow, fast = Timing("slow", (2.0, 4.0, 9.0)), Timing("fast", (1.0, 4.0, 3.0))
    assert fast.speed_over(slow) == (2.0, 1.0, 3.0)
    assert slow.median == 4.0


def test_nothing_to_time_is_refused():
    with pytest.raises(ValueError, match="Nothing to time"):
        measure_in_turn({})
    with pytest.raises(ValueError, match="rounds must be 1 or more; got 0"):
        measure_in_turn({"a": float}, rounds=0)
