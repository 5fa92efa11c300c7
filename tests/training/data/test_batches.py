"""Batches as functions of epoch and step; bad pictures are passed over and named, padding weighs nothing."""

import numpy as np
import pytest
from photo_folders import make_photos

from keras_coatnet.images.preprocess import DEFAULT_PREPROCESSING, Preprocessing, preprocess
from keras_coatnet.images.read import UnreadableImage
from keras_coatnet.training.augment.crop import RandomResizedCrop
from keras_coatnet.training.augment.mixing import BatchMix
from keras_coatnet.training.augment.picture import PictureAugmentation
from keras_coatnet.training.augment.rand_augment import RandAugment
from keras_coatnet.training.data.batches import EvaluationBatchMaker, TrainingBatchMaker
from keras_coatnet.training.data.order import TrainingOrder
from keras_coatnet.training.data.sources import Files, Rows, open_data

pytestmark = pytest.mark.backend_free

AUGMENTATION = PictureAugmentation(RandomResizedCrop((8, 10)), change=RandAugment(std=0.5))


def training_maker(source, batch_size=4, seed=0, **options):
    order = TrainingOrder(len(source), batch_size, seed, options.pop("repeats", 1))
    return TrainingBatchMaker(source, 2, order, options.pop("augmentation", AUGMENTATION), **options)


def all_files(folder):
    data = open_data(folder)
    return Files(data.train.paths + data.held_out.paths, data.train.labels + data.held_out.labels)


@pytest.fixture
def files(tmp_path):
    return all_files(make_photos(tmp_path, cat=5, dog=6))


def test_batches_follow_from_seed_epoch_and_step(files):
    expected = training_maker(files).batch(3, 1).arrays
    for other in ((3, 0), (4, 1)):
        assert (training_maker(files).batch(*other).arrays[0] != expected[0]).any()
    assert (training_maker(files, seed=1).batch(3, 1).arrays[0] != expected[0]).any()
    again = training_maker(files).batch(3, 1).arrays
    for array, other in zip(expected, again, strict=True):
        np.testing.assert_array_equal(array, other)


def test_shapes_are_known_beforehand(files):
    maker = training_maker(files)
    assert tuple(array.shape for array in maker.batch(0, 0).arrays) == maker.shapes == ((4, 8, 10, 3), (4, 2))


def test_picture_is_augmented_alike_whatever_the_batch_size(files):
    plain = PictureAugmentation(RandomResizedCrop((8, 10)))
    small = training_maker(files, 2, augmentation=plain)
    large = training_maker(files, 10, augmentation=plain)
    rows = np.concatenate([small.batch(0, step).arrays[0] for step in range(5)])
    np.testing.assert_array_equal(rows, large.batch(0, 0).arrays[0])


def test_repeated_pictures_are_augmented_differently(files):
    maker = training_maker(files, 2, repeats=2)
    images, labels = maker.batch(0, 0).arrays
    np.testing.assert_array_equal(labels[0], labels[1])
    assert (images[0] != images[1]).any()


def test_labels_are_smoothed_before_they_are_mixed_and_cut_off_after(files):
    _, labels = training_maker(files, label_smoothing=0.1).batch(0, 0).arrays
    assert set(np.unique(labels).round(6)) == {np.float32(0.05), np.float32(0.95)}
    _, labels = training_maker(files, 10, mix=BatchMix(1.0), target_threshold=0.2).batch(0, 0).arrays
    assert set(np.unique(labels)) == {0, 1}
    assert labels.sum() > 10


def test_bad_pictures_are_replaced_by_the_next_good_one_and_named(tmp_path):
    files = all_files(make_photos(tmp_path, broken=(0, 3), cat=5, dog=6))
    maker = training_maker(files, 11)
    images, labels = maker.batch(0, 0).arrays
    batch = maker.batch(0, 0)
    assert {files.name(index).rsplit("/", 1)[1] for index, _ in batch.skipped} == {"0.png", "3.png"}
    assert len({index for index, _ in batch.skipped}) == 4
    assert all("not a picture" in reason for _, reason in batch.skipped)
    assert np.isfinite(images).all()
    np.testing.assert_array_equal(labels.sum(1), 1)


def test_replacing_picture_brings_its_own_label():
    rows = [(np.full((9, 9, 3), 0, np.uint8), 0), (None, 0), (np.full((9, 9, 3), 255, np.uint8), 1)]
    images, labels = (
        training_maker(Rows(rows), 3, augmentation=PictureAugmentation(RandomResizedCrop((4, 4)))).batch(0, 0).arrays
    )
    np.testing.assert_array_equal(images[:, 0, 0, 0] > 0, labels[:, 1] == 1)
    assert labels[:, 1].sum() == 2


def test_nothing_but_bad_pictures_ends_the_training():
    with pytest.raises(UnreadableImage, match="5 pictures in a row cannot be read, the last one: row"):
        training_maker(Rows([(b"bad", 0)] * 5)).batch(0, 0)


def test_evaluation_takes_each_picture_once_as_the_checkpoint_wants_it(files):
    preprocessing = Preprocessing(crop=0.9)
    maker = EvaluationBatchMaker(files, 2, 4, preprocessing, (8, 10))
    batches = [maker.batch(0, step).arrays for step in range(maker.steps)]
    assert [tuple(array.shape for array in batch) for batch in batches] == [maker.shapes] * 3
    images, labels, weights = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    np.testing.assert_array_equal(weights, [1] * 11 + [0])
    np.testing.assert_array_equal(labels[:11].argmax(1), files.labels)
    for index in range(11):
        np.testing.assert_array_equal(images[index], preprocess(files.read(index), preprocessing, (8, 10)))


def test_evaluation_leaves_bad_pictures_without_weight(tmp_path):
    files = all_files(make_photos(tmp_path, broken=(1,), cat=5, dog=6))
    maker = EvaluationBatchMaker(files, 2, 11, DEFAULT_PREPROCESSING, (8, 10))
    batch = maker.batch(0, 0)
    images, _, weights = batch.arrays
    bad = [index for index, _ in batch.skipped]
    assert len(bad) == 2
    assert weights.sum() == 9
    assert not weights[bad].any()
    assert not images[bad].any()
