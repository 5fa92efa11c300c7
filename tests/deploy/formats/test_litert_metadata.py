"""A zip behind the model of a LiteRT file."""

import zipfile

import pytest

from keras_coatnet.deploy.formats.litert_metadata import append_metadata, read_metadata

pytestmark = pytest.mark.backend_free
MODEL = b"\x1c\x00\x00\x00TFL3" + bytes(range(256))
METADATA = {"labels": ["hut", "Bär"], "preprocessing": {"crop": 0.9}}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(MODEL)
    return path


def test_metadata_are_read_as_written_behind_an_untouched_model(path):
    append_metadata(path, METADATA)
    assert read_metadata(path) == METADATA
    assert path.read_bytes().startswith(MODEL)


def test_labels_are_a_file_with_one_a_line(path):
    append_metadata(path, METADATA)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt").decode() == "hut\nBär\n"


def test_model_without_labels_has_no_list_of_them(path):
    append_metadata(path, {"name": "coatnet_0"})
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["keras_coatnet.json"]


def test_equal_models_are_equal_files(path, tmp_path):
    again = tmp_path / "again.tflite"
    again.write_bytes(MODEL)
    append_metadata(path, METADATA)
    append_metadata(again, METADATA)
    assert path.read_bytes() == again.read_bytes()


def test_file_of_another_origin_has_no_metadata(path):
    assert read_metadata(path) is None
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "hut\n")
    assert read_metadata(path) is None
