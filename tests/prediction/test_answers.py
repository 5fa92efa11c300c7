"""Probabilities to names."""

import keras
import numpy as np
import pytest

import keras_coatnet as kc

pytestmark = pytest.mark.backend_free


def probabilities(classes, **best):
    row = np.zeros((1, classes), np.float32)
    for index, value in best.items():
        row[0, int(index[1:])] = value
    return row


def test_thousand_classes_are_imagenets():
    (answer,) = kc.decode_predictions(probabilities(1000, _0=0.2, _207=0.7, _999=0.1), top=3)
    assert [(wnid, label) for wnid, label, _ in answer] == [
        ("n02099601", "golden retriever"),
        ("n01440764", "tench, Tinca tinca"),
        ("n15075141", "toilet tissue, toilet paper, bathroom tissue"),
    ]
    np.testing.assert_allclose([probability for *_, probability in answer], [0.7, 0.2, 0.1], rtol=1e-6)
    assert isinstance(answer[0].probability, float)


def test_wnids_are_those_of_keras_applications():
    """Its list has the same ids in the same order; its labels are shorter."""
    rows = np.eye(1000, dtype=np.float32)[[1, 134, 517]]
    wnids = [answer[0].wnid for answer in kc.decode_predictions(rows, top=1)]
    assert wnids == ["n01443537", "n02012849", "n03126707"]


def test_11821_classes_are_those_of_imagenet_12k():
    (answer,) = kc.decode_predictions(probabilities(11821, _11820=1.0), top=1)
    assert answer[0].wnid == kc.decode_predictions(np.eye(11821, dtype=np.float32)[-1:], 1, "imagenet-12k")[0][0].wnid
    assert answer[0].wnid.startswith("n15")


def test_own_names_are_taken_and_cut_to_what_there_is():
    (answer,) = kc.decode_predictions([[0.2, 0.8]], top=5, labels=["cat", "dog"])
    assert answer == [(None, "dog", 0.8), (None, "cat", 0.2)]


def test_equal_probabilities_keep_the_order_of_the_classes():
    (answer,) = kc.decode_predictions([[0.25] * 4], labels=list("abcd"))
    assert [guess.label for guess in answer] == list("abcd")


def test_tensors_are_taken():
    tensor = keras.ops.convert_to_tensor([[0.1, 0.9], [0.6, 0.4]])
    answers = kc.decode_predictions(tensor, top=1, labels=["cat", "dog"])
    assert [answer[0].label for answer in answers] == ["dog", "cat"]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (np.zeros(1000), {}, r"must be \(N, classes\); got \(1000,\)"),
        (np.zeros((1, 7)), {}, r"knows imagenet-1k \(1000 classes\), imagenet-12k \(11821 classes\); got 7 classes"),
        (np.zeros((1, 7)), {"labels": ["a"]}, "each of the 7 classes; got 1 names"),
        (np.zeros((1, 1000)), {"labels": "imagenet-21k"}, "got 'imagenet-21k'. Nearest: 'imagenet-1"),
        (np.zeros((1, 1000)), {"top": 0}, "top must be a whole number from 1 up; got 0"),
        (np.zeros((1, 1000)), {"top": 2.0}, "top must be a whole number from 1 up; got 2.0"),
        (np.full((1, 1000), np.nan), {}, "must be finite; got NaN"),
    ],
)
def test_what_cannot_be_named_is_refused(rows, options, message):
    with pytest.raises(ValueError, match=message):
        kc.decode_predictions(rows, **options)
