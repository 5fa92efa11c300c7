"""The stream: order, batches, what is read ahead, and what cannot be read."""

import itertools
import threading

import numpy as np
import pytest
from colour_models import LABELS, colour_model
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_coatnet.images.read import UnreadableImage
from keras_coatnet.prediction.classifier import BATCHES_AHEAD, Classifier

COLOURS = {"dark": (0, 0, 0), "red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def one_colour(label):
    return np.full((5, 7, 3), COLOURS[label], np.uint8)


@pytest.fixture(scope="module")
def model():
    return colour_model()


@settings(max_examples=20)
@given(labels=st.lists(st.sampled_from([*LABELS, None]), max_size=12), batch_size=st.integers(1, 5))
def test_answers_come_in_order_with_the_unreadable_ones_in_their_places(model, labels, batch_size):
    images = ["nowhere.png" if label is None else one_colour(label) for label in labels]
    answers = list(Classifier(model, LABELS, top=1, batch_size=batch_size).stream(images))
    assert [image is given for (image, _), given in zip(answers, images, strict=True)] == [True] * len(images)
    found = [None if isinstance(answer, UnreadableImage) else answer[0].label for _, answer in answers]
    assert found == labels


def test_every_batch_has_one_shape_and_bad_files_leave_no_holes(model, monkeypatch):
    shapes = []
    answer = model.predict_on_batch
    monkeypatch.setattr(model, "predict_on_batch", lambda batch: shapes.append(batch.shape) or answer(batch))
    images = ["nowhere.png", *[one_colour("red")] * 4, "nowhere.png", *[one_colour("blue")] * 3]
    assert len(list(Classifier(model, LABELS, batch_size=3).stream(images))) == 9
    assert shapes == [(3, 4, 6, 3)] * 3


def test_nothing_but_bad_files_asks_the_model_nothing(model, monkeypatch):
    monkeypatch.setattr(model, "predict_on_batch", None)
    ((_, error),) = Classifier(model, LABELS).stream(["nowhere.png"])
    assert "nowhere.png" in str(error)


def test_endless_input_is_read_a_few_batches_ahead_only(model):
    taken = []

    def endless():
        for index in itertools.count():
            taken.append(index)
            yield one_colour("red")

    stream = Classifier(model, LABELS, top=1, batch_size=2).stream(endless())
    assert next(stream)[1][0].label == "red"
    stream.close()
    assert len(taken) <= 2 * (BATCHES_AHEAD + 1)


def test_pictures_are_read_in_as_many_threads_as_asked(model, monkeypatch):
    together = threading.Barrier(3, timeout=20)
    classifier = Classifier(model, LABELS, batch_size=3, threads=3)
    prepare = classifier.prepare
    # Passes only if three are read at the same time.
    monkeypatch.setattr(classifier, "prepare", lambda image: together.wait() >= 0 and prepare(image))
    assert len(list(classifier.stream([one_colour("red")] * 3))) == 3


def test_what_is_wrong_with_the_program_is_not_hidden(model):
    with pytest.raises(TypeError, match="got int"):
        list(Classifier(model, LABELS).stream([one_colour("red"), 7]))


def test_error_handed_over_is_its_own_answer(model):
    error = UnreadableImage("said before")
    assert list(Classifier(model, LABELS).stream([error])) == [(error, error)]


@pytest.mark.parametrize(
    ("option", "message"), [("batch_size", "batch_size must be 1"), ("threads", "threads must be 1")]
)
def test_numbers_below_1_are_refused(model, option, message):
    with pytest.raises(ValueError, match=message):
        Classifier(model, LABELS, **{option: 0})
