"""The order of an epoch follows from seed and epoch alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_coatnet.training.data.order import TrainingOrder

pytestmark = pytest.mark.backend_free


def epoch_rows(order, epoch):
    return np.concatenate([order.batch(epoch, step) for step in range(order.steps)])


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 2**32 - 1), st.integers(0, 500))
def test_batches_are_full_and_take_no_picture_twice(count, batch_size, seed, epoch):
    order = TrainingOrder(count, batch_size, seed)
    rows = epoch_rows(order, epoch)
    assert len(rows) == order.steps * min(batch_size, count) > count - batch_size
    assert len(set(rows[:, 0])) == len(rows)
    assert set(rows[:, 0]) <= set(range(count))
    assert not rows[:, 1].any()


@given(st.integers(1, 60), st.integers(2, 4), st.integers(0, 99))
def test_repeated_pictures_are_told_apart_and_the_epoch_is_no_longer(count, repeats, seed):
    rows = epoch_rows(TrainingOrder(count, 1, seed, repeats), 0)
    assert len(rows) == count
    assert len({tuple(row) for row in rows.tolist()}) == count
    assert len(set(rows[:, 0])) == -(-count // repeats)


def test_any_step_can_be_gone_to_without_those_before():
    order = TrainingOrder(50, 8, seed=3)
    expected = {(epoch, step): order.batch(epoch, step) for epoch in range(3) for step in range(order.steps)}
    for epoch, step in [(2, 4), (0, 1), (2, 0), (1, 5)]:
        np.testing.assert_array_equal(TrainingOrder(50, 8, seed=3).batch(epoch, step), expected[epoch, step])


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = {epoch_rows(TrainingOrder(30, 30, seed), epoch)[:, 0].tobytes() for seed in (0, 1) for epoch in (0, 1, 2)}
    assert len(orders) == 6


def test_no_pictures_are_refused():
    with pytest.raises(ValueError, match="no pictures"):
        TrainingOrder(0, 4)
