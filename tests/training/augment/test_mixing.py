"""MixUp, CutMix and label smoothing: labels stay shares that sum to 1 and follow what is on the pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_coatnet.training.augment.mixing import (
    BatchMix,
    above_threshold,
    cutmix,
    cutmix_box,
    draw_boxes,
    mixup,
    one_hot,
    smooth_labels,
)

pytestmark = pytest.mark.backend_free

seeds = st.integers(0, 2**32 - 1)
counts = st.integers(1, 9)


def batch(count, classes=5):
    """Pictures that are their own number all over, and labels that tell them apart."""
    images = np.arange(1, count + 1, dtype=np.float32)[:, None, None, None] * np.ones((1, 6, 7, 3), np.float32)
    return images, one_hot(np.arange(count) % classes, classes)


@given(
    counts,
    st.sampled_from([0.0, 0.1, 1.0]),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.sampled_from(["image", "batch"]),
    st.floats(0, 0.9),
    seeds,
)
def test_mixed_labels_are_shares_and_pictures_stay_in_range(count, mixup_alpha, cutmix_alpha, each, smoothing, seed):
    images, labels = batch(count)
    labels = smooth_labels(labels, smoothing)
    mix = BatchMix(mixup_alpha, cutmix_alpha, mixup_each=each, cutmix_each=each)
    mixed, shares = mix(images.copy(), labels, np.random.default_rng(seed))
    assert mixed.dtype == shares.dtype == np.float32
    assert mixed.shape == images.shape
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    assert shares.min() >= 0
    assert mixed.min() >= 1 - 1e-5
    assert mixed.max() <= count + 1e-5


def test_mixup_adds_the_partner_from_the_other_end():
    images, labels = batch(4)
    shares = np.float32([0.75, 0.5, 1.0, 0.25])
    mixed, mixed_labels = mixup(images, labels, shares)
    np.testing.assert_allclose(mixed[:, 0, 0, 0], [0.75 * 1 + 0.25 * 4, 0.5 * 2 + 0.5 * 3, 3, 0.25 * 4 + 0.75 * 1])
    np.testing.assert_allclose(mixed_labels[0], [0.75, 0, 0, 0.25, 0])
    np.testing.assert_array_equal(images, batch(4)[0])


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0, 1), seeds)
def test_cutmix_boxes_lie_inside_and_are_no_larger_than_asked(height, width, share, seed):
    top, left, bottom, right = cutmix_box(height, width, share, np.random.default_rng(seed))
    assert 0 <= top <= bottom <= height
    assert 0 <= left <= right <= width
    assert (bottom - top) * (right - left) <= (1 - share) * height * width + 1e-6


@given(counts, st.booleans(), seeds)
def test_cutmix_labels_are_the_areas_that_are_seen(count, same_box, seed):
    images, labels = batch(count, classes=count)
    generator = np.random.default_rng(seed)
    boxes = draw_boxes(*images.shape[1:3], generator.random(count, np.float32), generator, same_box)
    mixed, shares = cutmix(images, labels, boxes)
    for index in range(count):
        for other in {index, count - 1 - index}:
            seen = np.mean(mixed[index] == other + 1)
            np.testing.assert_allclose(shares[index, other], seen, atol=1e-6)


def test_mixing_each_batch_uses_one_box_and_one_share():
    images, labels = batch(6, classes=6)
    _, shares = BatchMix(cutmix_alpha=1.0, cutmix_each="batch")(images, labels, np.random.default_rng(4))
    assert len({round(float(shares[index, index]), 6) for index in range(6)}) == 1
    _, shares = BatchMix(mixup_alpha=1.0, mixup_each="image")(images, labels, np.random.default_rng(4))
    assert len({round(float(shares[index, index]), 6) for index in range(6)}) == 6


def test_batches_are_mixed_as_often_and_in_the_way_asked_for():
    images, labels = batch(2, classes=2)
    mix, generator = BatchMix(1.0, 1.0, probability=0.5, cutmix_share=0.2), np.random.default_rng(0)
    kinds = {"none": 0, "cutmix": 0, "mixup": 0}
    for _ in range(1000):
        mixed, _ = mix(images, labels, generator)
        if (mixed == images).all():
            kinds["none"] += 1
        else:
            kinds["cutmix" if set(np.unique(mixed)) <= {1, 2} else "mixup"] += 1
    # A box may cover nothing at all.
    assert kinds["none"] == pytest.approx(510, abs=50)
    assert kinds["mixup"] == pytest.approx(400, abs=50)


def test_smoothing_spreads_over_all_classes_and_not_half_to_each():
    np.testing.assert_allclose(smooth_labels(one_hot([1], 4), 0.1), [[0.025, 0.925, 0.025, 0.025]])


def test_threshold_makes_every_class_with_a_real_share_present():
    np.testing.assert_array_equal(above_threshold(np.float32([[0.2, 0.5, 0.3]]), 0.2), [[0, 1, 1]])
