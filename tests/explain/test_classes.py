"""What users call a class."""

import pytest

from keras_coatnet.explain.classes import find_class
from keras_coatnet.images.labels import ClassName, label_set

pytestmark = pytest.mark.backend_free

OWN = [ClassName(None, "cat, or dog"), ClassName(None, "7"), ClassName(None, "Cup")]


@pytest.mark.parametrize(
    ("wanted", "number"), [("cup", 2), (" CUP ", 2), ("cat, or dog", 0), (1, 1), ("7", 1), ("0", 0)]
)
def test_labels_and_numbers_name_a_class(wanted, number):
    assert find_class(OWN, wanted) == number


def test_ids_and_lemmas_name_a_class_of_wordnet():
    names = label_set("imagenet-1k")
    for wanted in ("n02123045", "tabby", "Tabby Cat", "tabby, tabby cat"):
        assert names[find_class(names, wanted)].wnid == "n02123045"


def test_two_classes_of_one_name_are_told_apart_by_their_ids():
    with pytest.raises(ValueError, match=r"2 classes are called 'crane'; name one of n02012849, n03126707\."):
        find_class(label_set("imagenet-1k"), "crane")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("dog", r"No class is called 'dog': the model knows 3 classes\."),
        ("cupp", r"Nearest: cup\."),
        (3, r"must lie within 0 to 2; got 3\."),
        ("12", r"must lie within 0 to 2; got 12\."),
        (-1, r"must lie within 0 to 2; got -1\."),
        (True, "No class is called True"),
        (0.5, "No class is called 0.5"),
    ],
)
def test_no_such_class_is_refused(wanted, message):
    with pytest.raises(ValueError, match=message):
        find_class(OWN, wanted)
