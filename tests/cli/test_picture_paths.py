"""Arguments of `predict` become picture files."""

import io

import pytest

from keras_coatnet.cli.picture_paths import NoPictures, picture_paths, read_paths

pytestmark = pytest.mark.backend_free


class Input:
    """Standard input that holds some bytes."""

    def __init__(self, data):
        self.buffer = io.BufferedReader(io.BytesIO(data))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    for name in ("b.png", "a.JPG", "notes.txt", ".hidden.png", "z/1.webp", "c/2.tif", "c/d/0.gif", ".cache/x.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd[1].png").touch()
    monkeypatch.chdir(tmp_path)


def paths(*arguments, data=b"", separator=b"\n"):
    return list(picture_paths(arguments, Input(data), separator))


IN_PHOTOS = ["photos/a.JPG", "photos/b.png", "photos/c/2.tif", "photos/c/d/0.gif", "photos/z/1.webp"]


def test_files_stand_in_the_order_given_and_as_often():
    assert paths("photos/b.png", "nowhere.png", "photos/b.png") == ["photos/b.png", "nowhere.png", "photos/b.png"]


def test_folder_gives_the_pictures_below_it_in_order_without_hidden_ones():
    assert paths("photos") == IN_PHOTOS


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("photos/*.png", ["photos/b.png"]),
        ("photos/?", ["photos/c/2.tif", "photos/c/d/0.gif", "photos/z/1.webp"]),  # folders give their pictures
        ("photos/**/[02].*", ["photos/c/2.tif", "photos/c/d/0.gif"]),
        ("photos/c/**", ["photos/c/2.tif", "photos/c/d/0.gif"]),  # each once
    ],
)
def test_pattern_gives_its_matches_sorted_and_each_once(pattern, found):
    assert paths(pattern) == found


def test_file_whose_name_looks_like_a_pattern_is_itself():
    assert paths("odd[1].png") == ["odd[1].png"]


def test_standard_input_takes_the_place_of_its_dash():
    assert paths("first.png", "-", "last.png", data=b"one.png\r\n\ntwo words.png\nphotos/c") == [
        "first.png",
        "one.png",
        "two words.png",
        "photos/c/2.tif",
        "photos/c/d/0.gif",
        "last.png",
    ]


def test_null_bytes_part_names_with_line_feeds():
    data = b"a\nb.png\0" + b"c" * 70000 + b"\0\0d.png"
    assert paths("-", data=data, separator=b"\0") == ["a\nb.png", "c" * 70000, "d.png"]


def test_names_that_are_no_text_come_through():
    (path,) = paths("-", data=b"caf\xe9.png\n")
    assert path.encode("utf-8", "surrogateescape") == b"caf\xe9.png"


def test_paths_are_read_one_by_one():
    """A stream that never ends gives its first path at once."""

    class Endless(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            buffer[:6] = b"a.png\n"
            return 6

    stream = Input(b"")
    stream.buffer = io.BufferedReader(Endless())
    assert next(read_paths(stream, b"\n")) == "a.png"


@pytest.mark.parametrize(
    ("argument", "reason"), [("empty", "empty: holds no pictures"), ("*.bmp", r"\*\.bmp: no file matches")]
)
def test_argument_without_any_picture_says_so_in_its_place(argument, reason):
    before, error, after = paths("a.png", argument, "b.png")
    assert (before, after) == ("a.png", "b.png")
    assert isinstance(error, NoPictures)
    assert error.path == argument
    with pytest.raises(NoPictures, match=reason):
        raise error
