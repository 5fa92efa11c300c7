"""Timing in turn: order, rounds, ratios. No test here says how long anything may take."""

import pytest

from keras_coatnet.benchmark.measure import Timing, measure_in_turn

pytestmark = pytest.mark.backend_free


def test_calls_take_turns_after_one_call_each():
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "ab"}
    timings = measure_in_turn(calls, rounds=3, seconds=0)
    assert order == ["a", "b", *["a", "b"] * 3]
    assert [timing.name for timing in timings] == ["a", "b"]
    assert all(len(timing.seconds) == 3 and min(timing.seconds) >= 0 for timing in timings)


def test_progress_advances_once_a_measurement():
    steps = []
    measure_in_turn({"a": lambda: None, "b": lambda: None}, rounds=2, seconds=0, advance=lambda: steps.append(1))
    assert len(steps) == 4


def test_speed_is_the_median_of_the_rounds_ratios():
    slow, fast = Timing("slow", (2.0, 4.0, 9.0)), Timing("fast", (1.0, 4.0, 3.0))
    assert fast.speed_over(slow) == (2.0, 1.0, 3.0)
    assert slow.median == 4.0


def test_nothing_to_time_is_refused():
    with pytest.raises(ValueError, match="Nothing to time"):
        measure_in_turn({})
    with pytest.raises(ValueError, match="rounds must be 1 or more; got 0"):
        measure_in_turn({"a": lambda: None}, rounds=0)
