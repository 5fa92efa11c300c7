"""Class names in a file."""

import pytest

from keras_coatnet.images.labels import read_labels, write_labels

pytestmark = pytest.mark.backend_free


def test_labels_come_back_as_written(tmp_path):
    labels = ["chien", "Käfer", "猫", 'a "quoted" one']
    write_labels(tmp_path / "classes.json", labels)
    assert read_labels(tmp_path / "classes.json") == labels


@pytest.mark.parametrize("text", ['{"0": "cat"}', "[]", "[1, 2]", '"cat"', "[", "\ufeff["])
def test_anything_but_a_list_of_names_is_refused(tmp_path, text):
    (tmp_path / "classes.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"classes\.json: "):
        read_labels(tmp_path / "classes.json")
