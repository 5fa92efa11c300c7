"""Processes share a batch without reading more than their part, and mix it as one process would."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_coatnet.images.preprocess import DEFAULT_PREPROCESSING
from keras_coatnet.training.augment.crop import RandomResizedCrop
from keras_coatnet.training.augment.mixing import BatchMix
from keras_coatnet.training.augment.picture import PictureAugmentation
from keras_coatnet.training.data.batches import EvaluationBatchMaker, TrainingBatchMaker
from keras_coatnet.training.data.order import TrainingOrder
from keras_coatnet.training.data.sources import Rows
from keras_coatnet.training.scale.parts import ALONE, Parts

pytestmark = pytest.mark.backend_free


def rows(count):
    generator = np.random.default_rng(0)
    return Rows([(generator.integers(0, 255, (12, 14, 3), np.uint8), index % 3) for index in range(count)])


@given(st.integers(1, 5), st.integers(1, 6))
def test_parts_of_a_batch_are_disjoint_and_hold_each_picture_with_its_partner(processes, pairs):
    batch_size = 2 * pairs * processes
    places = [Parts(index, processes).mirrored_places(batch_size) for index in range(processes)]
    assert sorted(np.concatenate(places)) == list(range(batch_size))
    for part in places:
        assert len(part) == batch_size // processes
        np.testing.assert_array_equal(part + part[::-1], batch_size - 1)


@pytest.mark.parametrize("mix", [BatchMix(1.0), BatchMix(0.0, 1.0), BatchMix(0.0, 1.0, cutmix_each="image")])
def test_processes_make_the_pictures_that_one_process_makes(mix):
    def maker(parts):
        order = TrainingOrder(30, 12, seed=4, parts=parts)
        return TrainingBatchMaker(rows(30), 3, order, PictureAugmentation(RandomResizedCrop((8, 10))), mix, 0.1)

    whole = maker(ALONE).batch(1, 1).arrays
    for index in range(3):
        part = maker(Parts(index, 3, 6))
        assert part.batch_size == 12
        found = part.batch(1, 1).arrays
        assert [array.shape for array in found] == list(part.shapes) == [(4, 8, 10, 3), (4, 3)]
        for ours, expected in zip(found, whole, strict=True):
            np.testing.assert_array_equal(ours, expected[part.order.places])


@pytest.mark.parametrize(("count", "batch_size"), [(11, 8), (3, 4)])
def test_evaluation_parts_put_together_are_the_whole(count, batch_size):
    def maker(parts):
        return EvaluationBatchMaker(rows(count), 3, batch_size, DEFAULT_PREPROCESSING, (8, 10), parts)

    parts = [maker(Parts(index, 2, 4)) for index in range(2)]
    for step in range(parts[0].steps):
        whole = maker(ALONE).batch(0, step).arrays
        found = [part.batch(0, step).arrays for part in parts]
        assert [array.shape for array in found[0]] == list(parts[0].shapes)
        for ours, expected in zip(zip(*found, strict=True), whole, strict=True):
            np.testing.assert_array_equal(np.concatenate(ours), expected)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 2, 8]))
def test_batches_drop_what_the_devices_do_not_divide(count, batch_size, multiple):
    if min(count, batch_size) < multiple:
        with pytest.raises(ValueError, match=f"must be a multiple of {multiple} .*got {min(count, batch_size)}"):
            TrainingOrder(count, batch_size, parts=Parts(multiple=multiple))
        return
    order = TrainingOrder(count, batch_size, parts=Parts(multiple=multiple))
    assert order.batch_size % multiple == 0
    assert 0 <= min(count, batch_size) - order.batch_size < multiple
    assert order.steps == count // order.batch_size
