"""Sources of pictures: files, rows of anything, lists, data sets by name."""

import json
import pickle
import sys
import types

import numpy as np
import pytest
from photo_folders import make_photos
from PIL import Image

from keras_coatnet.images.read import UnreadableImage
from keras_coatnet.training.data.sources import Files, Rows, open_data

pytestmark = pytest.mark.backend_free


def names(source):
    return ["/".join(source.name(index).split("/")[-2:]) for index in range(len(source))]


def test_folder_with_all_three_parts(tmp_path):
    for part, count in (("train", 3), ("validation", 2), ("test", 1)):
        make_photos(tmp_path / part, cat=count, dog=count)
    data = open_data(tmp_path)
    assert data.classes == ("cat", "dog")
    assert [len(part) for part in (data.train, data.held_out, data.test)] == [6, 4, 2]
    assert data.test.label(1) == 1
    assert data.test.read(1).shape == (20, 26, 3)


def test_folder_without_test_has_none(tmp_path):
    assert open_data(make_photos(tmp_path, cat=3, dog=3)).test is None


def test_two_folders_of_held_out_pictures_are_refused(tmp_path):
    for part in ("train", "val", "validation"):
        make_photos(tmp_path / part, cat=2, dog=2)
    with pytest.raises(ValueError, match="both val/ and validation/"):
        open_data(tmp_path)


ROWS = [
    {"path": "cat/0.png", "label": "cat"},
    {"path": "cat/1.png", "label": "cat", "split": "train"},
    {"path": "dog/0.png", "label": "dog", "split": "train"},
    {"path": "dog/1.png", "label": "dog", "split": "validation"},
    {"path": "cat/2.png", "label": "cat", "split": "test"},
]


def write_list(file, rows):
    if file.suffix == ".csv":
        lines = [",".join((row["path"], row["label"], row.get("split", ""))) for row in rows]
        file.write_text("\n".join(["path,label,split", *lines]))
    elif file.suffix == ".jsonl":
        file.write_text("\n".join(map(json.dumps, rows)))
    else:
        file.write_text(json.dumps(rows))
    return file


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl"])
def test_lists_say_paths_labels_and_parts(tmp_path, suffix):
    make_photos(tmp_path, cat=3, dog=2)
    data = open_data(write_list(tmp_path / f"list{suffix}", ROWS))
    assert data.classes == ("cat", "dog")
    assert names(data.train) == ["cat/0.png", "cat/1.png", "dog/0.png"]
    assert names(data.held_out) == ["dog/1.png"]
    assert names(data.test) == ["cat/2.png"]
    assert data.held_out.label(0) == 1
    assert data.train.read(0).dtype == np.uint8


def test_list_without_held_out_rows_holds_out_a_fifth_of_each_class(tmp_path):
    rows = [{"path": f"{name}/{index}.png", "label": name} for name in ("a", "b") for index in range(10)]
    data = open_data(write_list(tmp_path / "list.json", rows), seed=2)
    assert len(data.held_out) == 4
    assert set(names(data.train)).isdisjoint(names(data.held_out))
    assert names(open_data(tmp_path / "list.json", seed=3).held_out) != names(data.held_out)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"path": "a.png"}], "row 1: needs path and label; has path"),
        ([{"path": "a.png", "label": "x"}, 3], "row 2: must be an object"),
        ([{"path": "a.png", "label": "x", "split": "dev"}], "split must be one of.*got 'dev'"),
        ([{"path": "a.png", "label": "x"}], "at least two classes"),
        ([*ROWS, {"path": "b.png", "label": "yak", "split": "val"}], "no training row has: yak"),
    ],
)
def test_bad_lists_say_which_row_and_why(tmp_path, rows, message):
    (tmp_path / "list.json").write_text(json.dumps(rows))
    with pytest.raises(ValueError, match=message):
        open_data(tmp_path / "list.json")


@pytest.mark.parametrize(("text", "message"), [("{", "not a json file"), ("{}", "must hold a list of objects")])
def test_files_that_are_no_list_are_refused(tmp_path, text, message):
    (tmp_path / "list.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        open_data(tmp_path / "list.json")


def test_missing_list_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere\.csv: No such file"):
        open_data(tmp_path / "nowhere.csv")


def test_rows_hold_pictures_of_any_kind():
    pixels = np.zeros((4, 5, 3), np.uint8)
    source = Rows([(pixels, 3), {"image": Image.fromarray(pixels), "label": np.int64(4)}], "pets")
    assert [source.label(0), source.label(1)] == [3, 4]
    np.testing.assert_array_equal(source.read(1), pixels)
    assert source.name(1) == "pets 1"


def test_row_is_read_once_for_its_picture_and_its_label():
    asked = []

    class Rare(list):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    source = Rows(Rare([(np.zeros((4, 5, 3), np.uint8), 3), (np.ones((4, 5, 3), np.uint8), 4)]))
    assert [(source.read(index).max(), source.label(index)) for index in (1, 0)] == [(1, 4), (0, 3)]
    assert asked == [1, 0]


@pytest.mark.parametrize("picture", [b"bad", None, np.zeros((2, 2, 7), np.uint8)])
def test_rows_without_a_picture_are_named(picture):
    with pytest.raises(UnreadableImage, match="pets 0: "):
        Rows([(picture, 0)], "pets").read(0)


@pytest.fixture
def fake_tfds(monkeypatch):
    """A stand-in that records how it is asked; the real one downloads."""
    asked = []

    def data_source(name, *, split, data_dir, download):
        asked.append((name, split, data_dir, download))
        return [{"image": np.zeros((4, 5, 3), np.uint8), "label": 1}] * 3

    def builder(name, data_dir):
        if name != "pets":
            raise RuntimeError(f"Dataset {name} not found\nfull list")
        label = types.SimpleNamespace(names=["cat", "dog"])
        info = types.SimpleNamespace(features={"image": 0, "label": label}, splits={"train": 0, "test": 0})
        return types.SimpleNamespace(info=info)

    module = types.ModuleType("tensorflow_datasets")
    module.data_source, module.builder = data_source, builder
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", module)
    return asked


def test_data_sets_by_name_are_opened_where_they_are_read(fake_tfds):
    data = open_data("tfds:pets@/data")
    assert data.classes == ("cat", "dog")
    assert fake_tfds == []
    assert (len(data.train), data.train.label(2), data.test.read(0).shape) == (3, 1, (4, 5, 3))
    assert len(data.held_out) == 3
    assert [each[1] for each in fake_tfds] == ["train[20%:]", "test", "train[:20%]"]
    assert fake_tfds[0] == ("pets", "train[20%:]", "/data", False)
    # A worker process gets the name, not the open file.
    assert pickle.loads(pickle.dumps(data.train)).label(0) == 1
    assert len(fake_tfds) == 4


def test_unknown_data_set_is_said_in_one_line(fake_tfds):
    with pytest.raises(ValueError, match="tfds:yaks: Dataset yaks not found full list"):
        open_data("tfds:yaks")


def test_missing_library_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ModuleNotFoundError, match="pip install tensorflow-datasets"):
        open_data("tfds:pets")


def test_files_are_of_the_examples_they_were_made_from(tmp_path):
    data = open_data(make_photos(tmp_path, cat=2, dog=2))
    assert isinstance(data.train, Files)
    assert data.train.paths[0].endswith(".png")
