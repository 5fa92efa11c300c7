"""RandAugment and AutoAugment: what they draw, how often, how strong."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from keras_coatnet.training.augment import rand_augment
from keras_coatnet.training.augment.auto_augment import POLICIES, AutoAugment
from keras_coatnet.training.augment.rand_augment import OPERATION_SETS, RandAugment, draw_magnitude

pytestmark = pytest.mark.backend_free

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8))


@pytest.fixture
def applied(monkeypatch):
    """Records (name, magnitude, negative) of each operation that is applied."""
    record = []

    def apply(name, picture, magnitude, *, negative, resample, fill):
        record.append((name, magnitude, negative))
        return picture

    monkeypatch.setattr(rand_augment, "apply_operation", apply)
    return record


def run(augmentation, times=2000, seed=0):
    generator = np.random.default_rng(seed)
    for _ in range(times):
        augmentation(PICTURE, generator)


def test_each_drawn_operation_is_applied_at_its_probability(applied):
    run(RandAugment(layers=3, probability=0.25))
    assert len(applied) == pytest.approx(2000 * 3 * 0.25, rel=0.07)


def test_at_probability_one_every_layer_is_applied_and_all_operations_come_up_evenly(applied):
    run(RandAugment(layers=2, probability=1.0, operations="original"))
    counts = Counter(name for name, _, _ in applied)
    assert sum(counts.values()) == 4000
    assert set(counts) == set(OPERATION_SETS["original"])
    assert max(counts.values()) < 1.35 * min(counts.values())


def test_signed_operations_go_either_way_and_others_one(applied):
    run(RandAugment(probability=1.0))
    signs = {name: {negative for each, _, negative in applied if each == name} for name in OPERATION_SETS["increasing"]}
    assert signs["Rotate"] == {True, False}
    assert signs["ColorIncreasing"] == {True, False}
    assert signs["SolarizeIncreasing"] == {False}


def test_magnitude_above_the_limit_loses_its_noise():
    generator = np.random.default_rng(0)
    assert {draw_magnitude(15, 0.5, 10, generator) for _ in range(200)} == {10}


def test_magnitude_without_limit_goes_on():
    assert draw_magnitude(15, 0, None, np.random.default_rng(0)) == 15


def test_magnitude_varies_around_its_mean_within_bounds():
    generator = np.random.default_rng(0)
    drawn = [draw_magnitude(9, 0.5, 10, generator) for _ in range(2000)]
    assert np.mean(drawn) == pytest.approx(9, abs=0.05)
    assert np.std(drawn) == pytest.approx(0.5, abs=0.05)
    assert max(drawn) <= 10
    assert min(draw_magnitude(0.1, 3, 10, generator) for _ in range(50)) == 0


def test_infinite_spread_draws_evenly():
    generator = np.random.default_rng(0)
    drawn = [draw_magnitude(8, float("inf"), 10, generator) for _ in range(2000)]
    np.testing.assert_allclose(np.quantile(drawn, [0.25, 0.5, 0.75]), [2, 4, 6], atol=0.4)


def test_auto_augment_applies_pairs_of_its_policy(applied):
    run(AutoAugment("original"), times=3000)
    known = {each for pair in POLICIES["original"] for each in pair}
    assert {(name, magnitude) for name, magnitude, _ in applied} == {
        (name, magnitude) for name, probability, magnitude in known if probability
    }


@pytest.mark.parametrize(
    "augmentation", [RandAugment(probability=1.0), RandAugment(15, limit=None, operations="original"), AutoAugment()]
)
def test_same_generator_gives_the_same_picture_and_another_one_another(augmentation):
    def pictures(seed):
        generator = np.random.default_rng(seed)
        return np.stack([np.asarray(augmentation(PICTURE, generator)) for _ in range(8)])

    np.testing.assert_array_equal(pictures(1), pictures(1))
    assert (pictures(1) != pictures(2)).any()
    assert pictures(1).shape == (8, 6, 9, 3)
