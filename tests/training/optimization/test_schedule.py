"""The learning rate at every step: the published numbers, and shapes that follow from the fields."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_coatnet.training.optimization.compilation import make_schedule
from keras_coatnet.training.optimization.schedule import WarmUpAndDecay
from keras_coatnet.training.recipes import get_recipe


def rates(schedule, steps):
    return np.array([float(schedule(step)) for step in steps])


# Of keras_cv_attention_models' own script, to three digits: epochs 0, 1, 4, 5 and the last one of the cosine.
@pytest.mark.parametrize(
    ("name", "epochs", "published"),
    [
        ("a3_160", (0, 1, 4, 5, 99), (1e-4, 4.8e-4, 1.62e-3, 1.988e-3, 1.49e-6)),
        ("finetune_224", (0, 1, 4, 5, 31), (5e-4, 4.988e-4, 4.81e-4, 4.705e-4, 2.2e-6)),
        ("a3_224", (0, 1, 4, 5, 299), (1e-4, 4.8e-4, 1.62e-3, 1.999e-3, 1.06e-6)),
    ],
)
@pytest.mark.parametrize("within_epoch", [0, 9])
def test_learning_rates_are_the_published_ones_epoch_by_epoch(name, epochs, published, within_epoch):
    recipe = get_recipe(name)
    schedule = make_schedule(recipe, 10, recipe.epochs)
    np.testing.assert_allclose(rates(schedule, [10 * epoch + within_epoch for epoch in epochs]), published, rtol=6e-3)
    cooldown = [10 * (recipe.epochs - 5), 10 * recipe.epochs - 1]
    np.testing.assert_allclose(rates(schedule, cooldown), [1e-6, 1e-6], rtol=1e-5)


# What timm's scheduler gives the CoaT authors' commands for these epochs; their script is one epoch behind.
@pytest.mark.parametrize(
    ("name", "epochs", "published"),
    [
        ("coat_lite_tiny", (0, 1, 5, 150, 299), (1e-6, 4.008e-4, 1.9986e-3, 1.005e-3, 1.005e-5)),
        ("coat_lite_medium_384", range(6), (2.5e-6, 2.667e-6, 3.125e-6, 3.75e-6, 4.375e-6, 4.833e-6)),
    ],
)
def test_cosine_of_the_coat_authors_is_not_put_off_by_the_warm_up_and_may_rise(name, epochs, published):
    recipe = get_recipe(name)
    schedule = make_schedule(recipe, 10, recipe.epochs)
    np.testing.assert_allclose(rates(schedule, [10 * epoch for epoch in epochs]), published, rtol=1e-3)


def test_paper_warms_up_for_ten_thousand_steps_and_ends_at_its_minimum():
    recipe = get_recipe("paper_in1k")
    steps = 1_281_167 // 4096
    schedule = make_schedule(recipe, steps, recipe.epochs)
    last = steps * recipe.epochs
    middle = (10_000 + last) // 2
    np.testing.assert_allclose(
        rates(schedule, [0, 5_000, 10_000, middle, last]), [0, 5e-4, 1e-3, 5.05e-4, 1e-5], rtol=1e-3, atol=1e-9
    )


def test_linear_decay_is_a_line_and_constant_stays():
    np.testing.assert_allclose(
        rates(WarmUpAndDecay(1.0, 10, kind="linear", minimum=0.5), [0, 5, 10, 20]), [1, 0.75, 0.5, 0.5]
    )
    np.testing.assert_allclose(rates(WarmUpAndDecay(0.3, 10, kind="constant"), [0, 9]), [0.3, 0.3], rtol=1e-6)


@pytest.mark.backend_free
@given(
    st.integers(20, 1000),
    st.integers(0, 9),
    st.integers(0, 9),
    st.sampled_from(["cosine", "linear", "constant"]),
    st.integers(1, 7),
)
def test_rates_rise_then_fall_between_their_ends(steps, warmup, cooldown, kind, step_size):
    schedule = WarmUpAndDecay(
        1e-2,
        steps,
        kind=kind,
        minimum=1e-4,
        warmup_steps=warmup,
        warmup_start=1e-5,
        cooldown_steps=cooldown,
        step_size=step_size,
    )
    found = rates(schedule, range(0, steps + 5, max(1, steps // 40)))
    assert found.min() >= 1e-5 * 0.999
    assert found.max() <= 1e-2 * 1.001
    turns = np.sign(np.diff(found.round(9)))
    falls = np.flatnonzero(turns < 0)
    assert not len(falls) or (turns[falls[0] :] <= 0).all()


def test_steps_are_counted_exactly_where_floats_no_longer_do():
    schedule = WarmUpAndDecay(1.0, 2**26, step_size=2**20)
    assert float(schedule(2**24 + 2**20 - 1)) == float(schedule(2**24))
    assert float(schedule(2**24 + 2**20)) < float(schedule(2**24))


def test_a_run_shorter_than_its_warm_up_is_refused():
    with pytest.raises(ValueError, match="A run of 300 steps has no room for a warm-up of 10000"):
        make_schedule(get_recipe("paper_in1k"), 1, 300)


@pytest.mark.parametrize("fields", [{"kind": "cosin"}, {"decay_from": "end"}])
def test_other_kinds_are_refused(fields):
    with pytest.raises(ValueError, match="kind must be one of 'cosine', 'linear', 'constant' and decay_from one of"):
        WarmUpAndDecay(1.0, 10, **fields)


def test_warm_up_in_updates_is_as_long_in_parts_of_batches():
    recipe = get_recipe("paper_in1k").replace(accumulation=4)
    assert make_schedule(recipe, 1000, 300).warmup_steps == 40_000


def test_schedule_survives_its_config():
    schedule = WarmUpAndDecay(1e-3, 100, kind="linear", warmup_steps=10, cooldown_steps=5, decay_from="start")
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    steps = range(0, 101, 9)
    np.testing.assert_array_equal(rates(again, steps), rates(schedule, steps))
