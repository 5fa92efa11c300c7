"""What is wrong with a data set is found: broken, repeated, contradicting, missing."""

import shutil

import pytest
from photo_folders import make_photos

from keras_coatnet.training.data.check import check_data
from keras_coatnet.training.data.sources import open_data

pytestmark = pytest.mark.backend_free


@pytest.fixture
def folder(tmp_path):
    """Parts without a fault; the held-out pictures are other noise than the training's."""
    make_photos(tmp_path / "train", cat=4, dog=5)
    make_photos(tmp_path / "spare", none=9, cat=2, dog=2)
    (tmp_path / "val").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "spare" / name).rename(tmp_path / "val" / name)
    shutil.rmtree(tmp_path / "spare")
    return tmp_path


def check(folder):
    return check_data(open_data(folder))


def test_counts_and_sizes_of_a_good_data_set(folder):
    read = []
    report = check_data(open_data(folder), on_read=lambda: read.append(1))
    assert report.is_good
    assert report.counts == {"train": {0: 4, 1: 5}, "held out": {0: 2, 1: 2}}
    assert report.size_range() == [(20, 22), (21, 25), (22, 26)]
    assert len(read) == 13
    assert report.repeated_names == ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]


def test_broken_pictures_are_named_and_not_counted(folder):
    (folder / "train" / "dog" / "2.png").write_bytes(b"")
    whole = (folder / "train" / "cat" / "1.png").read_bytes()
    (folder / "train" / "cat" / "1.png").write_bytes(whole[: len(whole) // 2])
    report = check(folder)
    assert not report.is_good
    assert [(name.rsplit("/", 2)[-2:], name in reason) for name, reason in report.unreadable] == [
        (["cat", "1.png"], True),
        (["dog", "2.png"], True),
    ]
    assert report.counts["train"] == {0: 3, 1: 4}


@pytest.mark.parametrize(
    ("source", "target", "harmful"),
    [
        ("train/cat/0.png", "train/dog/again.png", True),
        ("train/cat/0.png", "val/cat/again.png", True),
        ("train/cat/0.png", "train/cat/again.png", False),
    ],
)
def test_same_picture_twice_is_bad_where_it_contradicts_or_leaks(folder, source, target, harmful):
    shutil.copy(folder / source, folder / target)
    report = check(folder)
    assert len(report.copies) == 1
    assert {name.split(str(folder))[1][1:] for _, _, name in report.copies[0]} == {source, target}
    assert len(report.harmful_copies) == harmful
    assert report.is_good != harmful


def test_class_without_a_readable_picture_is_bad(folder):
    for file in (folder / "train" / "cat").iterdir():
        file.write_text("x")
    assert check(folder).empty_classes == ["cat"]


def test_classes_of_nearly_the_same_name_are_bad(tmp_path):
    report = check(make_photos(tmp_path, **{"T-shirt": 2, "t shirt": 2, "hat": 2}))
    assert report.similar_classes == [["T-shirt", "t shirt"]]
    assert not report.is_good
