"""The range that 256 levels are spread over."""

import numpy as np
import pytest

from keras_coatnet.deploy.formats.litert_ranges import BINS, fit_range, gelu, quantized

pytestmark = pytest.mark.backend_free


def counts_of(values, low, high):
    return np.histogram(values, bins=BINS, range=(low, high))[0]


def squared_error(values, low, high, function=lambda values: values):
    levels, nearest = quantized(values, low, high)
    return np.square(function(levels)[nearest] - function(values)).mean()


@pytest.fixture
def bell():
    """Values of a standard normal distribution."""
    return np.random.default_rng(0).standard_normal(20_000)


def test_evenly_spread_values_keep_their_range():
    values = np.linspace(-3, 5, 10_000)
    assert fit_range(counts_of(values, -3, 5), -3.0, 5.0) == (-3.0, 5.0)


def test_few_far_values_are_cut_off():
    values = np.random.default_rng(0).laplace(size=1_000_000)
    widest = float(values.min()), float(values.max())
    low, high = fit_range(counts_of(values, *widest), *widest)
    assert low > 0.85 * widest[0]
    assert high < 0.85 * widest[1]
    assert squared_error(values, low, high) < 0.9 * squared_error(values, *widest)


def test_range_before_a_gelu_leaves_out_what_becomes_zero(bell):
    values = 3 * bell
    counts = counts_of(values, -12.0, 12.0)
    low, high = fit_range(counts, -12.0, 12.0, gelu)
    assert -5 < low < -1
    assert high > 8
    assert squared_error(values, low, high, gelu) < 0.5 * squared_error(values, *fit_range(counts, -12.0, 12.0), gelu)


@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (-6.0, 0.0), (1.0, 6.0)])
def test_range_on_one_side_of_zero_stays_there(low, high):
    values = np.linspace(low, high, 1000)
    assert fit_range(counts_of(values, low, high), low, high) == (low, high)


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.5, 2.0), (-3.0, -1.0)])
def test_zero_is_a_level(low, high):
    levels, nearest = quantized(np.array([0.0]), low, high)
    assert len(levels) == 256
    assert levels[nearest[0]] == 0
