"""The pictures a file is compared on."""

import io

import numpy as np
import pytest
from PIL import Image

from keras_coatnet.deploy import photographs
from keras_coatnet.deploy.photographs import FOLDER, Photograph, open_photographs
from keras_coatnet.images.read import ORIENTATION

pytestmark = pytest.mark.backend_free


def decoded(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_the_packages_own_are_few_small_and_of_ordinary_size():
    found = open_photographs()
    assert len(found) == 4
    assert {path.name for path in FOLDER.iterdir()} == {"astronaut.jpg", "chelsea.jpg", "coffee.jpg", "rocket.jpg"}
    assert max(path.stat().st_size for path in FOLDER.iterdir()) < 40_000
    assert {min(each.pixels.shape[:2]) for each in found} <= {300, 320}


def test_every_photograph_is_credited():
    notice = (FOLDER.parents[2] / "NOTICE").read_text(encoding="utf-8")
    assert [path.name for path in FOLDER.iterdir() if path.name not in notice] == []


def test_folder_file_array_and_list_are_all_taken(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "notes.txt").write_text("no picture")
    for index in range(3):
        Image.new("RGB", (4, 5), (index, 0, 0)).save(tmp_path / "below" / f"{index}.png")
    first = str(tmp_path / "below" / "0.png")
    assert [each.pixels[0, 0, 0] for each in open_photographs(tmp_path)] == [0, 1, 2]
    assert len(open_photographs(first)) == 1
    assert len(open_photographs([first, tmp_path, np.zeros((6, 7, 3), np.uint8)])) == 5
    assert len(open_photographs(np.zeros((2, 6, 7, 3), np.uint8))) == 2
    floats = open_photographs(np.full((1, 6, 7, 3), 99.6))
    assert floats[0].pixels.dtype == np.uint8
    assert floats[0].pixels.max() == 100


def test_of_many_pictures_some_are_picked_evenly(monkeypatch):
    monkeypatch.setattr(photographs, "MOST_PICTURES", 4)
    values = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    assert [each.pixels[0, 0, 0] for each in open_photographs(values)] == [0, 3, 6, 9]


def test_an_upright_jpeg_is_handed_on_as_it_is_and_others_lose_nothing(tmp_path):
    astronaut = str(FOLDER / "astronaut.jpg")
    (found,) = open_photographs(astronaut)
    assert found.encoded() == (FOLDER / "astronaut.jpg").read_bytes()
    turned = Image.Exif()
    turned[ORIENTATION] = 6
    Image.open(astronaut).save(tmp_path / "turned.jpg", exif=turned)
    for each in (*open_photographs(tmp_path / "turned.jpg"), Photograph(found.pixels)):
        np.testing.assert_array_equal(decoded(each.encoded()), each.pixels)
