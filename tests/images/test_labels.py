"""Class names: those in the package, and those in a file."""

import hashlib

import pytest

from keras_coatnet.images.labels import (
    LABEL_SETS,
    ClassName,
    class_names,
    label_set,
    label_set_of_size,
    read_labels,
    write_labels,
)

pytestmark = pytest.mark.backend_free


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("imagenet-1k", "70002b0ff5de60a3"),  # of timm's imagenet_synsets.txt
        ("imagenet-12k", "f6483e79f18a9b67"),  # of timm's imagenet12k_synsets.txt
        ("tiny-imagenet", "342d6acf18911d62"),  # of the data set's wnids.txt, sorted
    ],
)
def test_lists_are_the_peers_in_their_order(name, digest):
    classes = label_set(name)
    assert len(classes) == LABEL_SETS[name]
    text = "".join(f"{wnid}\n" for wnid, _ in classes)
    assert hashlib.sha256(text.encode()).hexdigest().startswith(digest)


def test_labels_are_wordnets_lemmas():
    classes = label_set("imagenet-1k")
    assert classes[0] == ("n01440764", "tench, Tinca tinca")
    assert classes[207] == ("n02099601", "golden retriever")
    assert [index for index, (_, label) in enumerate(classes) if label == "crane"] == [
        134,
        517,
    ]  # the bird, the machine
    assert len(set(label_set("imagenet-12k"))) == 11821


def test_list_is_found_by_its_size():
    assert [label_set_of_size(size) for size in (1000, 11821, 10)] == ["imagenet-1k", "imagenet-12k", None]
    assert label_set_of_size(200) is None  # too common a number to tell Tiny-ImageNet
    assert class_names(None, 1000) is label_set("imagenet-1k")
    assert class_names(None, 10) is None


def test_own_names_have_no_wordnet_id():
    assert class_names(["cat", "dog"], 2) == (ClassName(None, "cat"), ClassName(None, "dog"))


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (
            "imagenet1k",
            1000,
            "one of 'imagenet-1k', 'imagenet-12k', 'tiny-imagenet'; got 'imagenet1k'. Nearest: 'imagenet-1k'",
        ),
        ("imagenet-12k", 1000, "each of the 1000 classes; 'imagenet-12k' has 11821 names"),
        (["a"], 3, "each of the 3 classes; got 1 names"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, classes, message):
    with pytest.raises(ValueError, match=message):
        class_names(labels, classes)


def test_labels_come_back_as_written(tmp_path):
    labels = ["chien", "Käfer", "猫", 'a "quoted" one']
    write_labels(tmp_path / "classes.json", labels)
    assert read_labels(tmp_path / "classes.json") == labels


@pytest.mark.parametrize("text", ['{"0": "cat"}', "[]", "[1, 2]", '"cat"', "[", "\ufeff["])
def test_anything_but_a_list_of_names_is_refused(tmp_path, text):
    (tmp_path / "classes.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"classes\.json: "):
        read_labels(tmp_path / "classes.json")
