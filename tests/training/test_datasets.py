"""Folders of class folders: what is listed, held out, read and batched."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from keras_coatnet.images.preprocess import normalise, preprocess
from keras_coatnet.training.datasets import (
    PREPROCESSING,
    EvaluationBatches,
    Example,
    TrainingBatches,
    load_images,
    open_image_folder,
)

pytestmark = pytest.mark.backend_free


def make_pictures(folder, **counts):
    """`counts` pictures of 6 x 4 pixels a class; the k-th one of a class is (10 k, 0, 0)."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", (6, 4), (10 * index, 0, 0)).save(folder / name / f"{index}.png")


def test_classes_are_the_folders_in_order(tmp_path):
    make_pictures(tmp_path, dog=5, cat=5)
    (tmp_path / ".cache").mkdir()
    (tmp_path / "readme.txt").write_text("no class")
    assert open_image_folder(tmp_path).classes == ("cat", "dog")


def test_a_fifth_of_each_class_is_held_out_by_seed(tmp_path):
    make_pictures(tmp_path, cat=10, dog=20)
    folder = open_image_folder(tmp_path, seed=1)
    assert Counter(example.label for example in folder.held_out) == {0: 2, 1: 4}
    assert set(folder.train).isdisjoint(folder.held_out)
    assert len(folder.train) + len(folder.held_out) == 30
    assert open_image_folder(tmp_path, seed=1) == folder
    assert open_image_folder(tmp_path, seed=2).held_out != folder.held_out


def test_val_folder_is_what_is_held_out(tmp_path):
    make_pictures(tmp_path / "train", cat=3, dog=2, eel=1)
    make_pictures(tmp_path / "val", dog=2, eel=2)
    folder = open_image_folder(tmp_path)
    assert [example.label for example in folder.train] == [0, 0, 0, 1, 1, 2]
    assert [(example.path.parent.name, example.label) for example in folder.held_out] == [
        ("dog", 1),
        ("dog", 1),
        ("eel", 2),
        ("eel", 2),
    ]


@pytest.mark.parametrize(
    ("train", "val", "message"),
    [
        ({}, {}, r"at least two class folders"),
        ({"cat": 3}, {}, r"at least two class folders.*got \['cat'\]"),
        ({"cat": 3, "dog": 0}, {}, r"dog: holds no pictures"),
        ({"cat": 3, "dog": 1}, {}, r"class 'dog' has one picture"),
        ({"cat": 3, "dog": 3}, {"cat": 1, "yak": 1}, r"lacks: yak"),
    ],
)
def test_unusable_folder_says_what_is_missing(tmp_path, train, val, message):
    (tmp_path / "train").mkdir()
    make_pictures(tmp_path / "train", **train)
    make_pictures(tmp_path / "val", **val)
    with pytest.raises(ValueError, match=message):
        open_image_folder(tmp_path)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere: no such folder"):
        open_image_folder(tmp_path / "nowhere")


def test_pictures_are_read_at_one_size_with_their_labels(tmp_path):
    make_pictures(tmp_path, cat=2, dog=3)
    read = []
    folder = open_image_folder(tmp_path)
    images, labels = load_images(folder.train, (5, 7), on_read=lambda: read.append(1))
    assert images.shape == (3, 5, 7, 3)
    np.testing.assert_array_equal(labels, [example.label for example in folder.train])
    np.testing.assert_array_equal(images[:, 0, 0, 0], [10 * int(example.path.stem) for example in folder.train])
    assert len(read) == 3


def test_unreadable_pictures_are_all_named_before_any_training(tmp_path):
    make_pictures(tmp_path, cat=2)
    for index in range(7):
        (tmp_path / f"bad{index}.png").write_text("no picture")
    examples = [Example(path, 0) for path in sorted(tmp_path.rglob("*.png"))]
    with pytest.raises(ValueError, match=r"7 of 9 pictures cannot be read: .*bad0.*bad4.*and 2 more"):
        load_images(examples, (4, 6))


def numbered(count):
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 3), np.uint8)
    return images, np.arange(count)


def test_training_batches_are_full_and_repeat_no_picture_within_an_epoch():
    images, labels = numbered(11)
    batches = TrainingBatches(images, labels, 4, seed=0)
    seen = [batches[index] for index in range(len(batches))]
    assert [len(x) for x, _ in seen] == [4, 4]
    assert len(set(np.concatenate([y for _, y in seen]))) == 8
    for x, y in seen:
        np.testing.assert_array_equal(x, normalise(images[y]))


def test_training_order_changes_by_epoch_and_follows_the_seed():
    def orders(seed):
        batches = TrainingBatches(*numbered(8), 8, seed)
        for _ in range(3):
            yield batches[0][1].tolist()
            batches.on_epoch_end()

    first = list(orders(5))
    assert first[0] != first[1] != first[2]
    assert list(orders(5)) == first
    assert list(orders(6)) != first


def test_data_set_smaller_than_a_batch_is_one_batch():
    batches = TrainingBatches(*numbered(3), 8)
    assert len(batches) == 1
    assert sorted(batches[0][1]) == [0, 1, 2]


def test_evaluation_counts_every_picture_once_and_padding_never():
    batches = EvaluationBatches(*numbered(10), 4)
    parts = [batches[index] for index in range(len(batches))]
    assert [x.shape for x, _, _ in parts] == [(4, 2, 3, 3)] * 3
    labels, weights = (np.concatenate([part[k] for part in parts]) for k in (1, 2))
    np.testing.assert_array_equal(labels[weights > 0], np.arange(10))
    assert weights.sum() == 10


def test_what_models_remember_is_what_was_done_to_their_pictures(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (9, 14, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    images, _ = load_images([Example(tmp_path / "a.png", 0)], (6, 8))
    np.testing.assert_array_equal(normalise(images[0]), preprocess(picture, PREPROCESSING, (6, 8)))
