"""Pictures to labels in one call."""

import numpy as np
import pytest
from colour_models import LABELS, colour_model
from PIL import Image

import keras_coatnet as kc
from keras_coatnet.images.read import UnreadableImage


@pytest.fixture(scope="module")
def model():
    return colour_model()


def one_colour(colour, size=(9, 5)):
    return Image.new("RGB", size, colour)


def test_paths_arrays_and_pil_images_give_the_same_answer(model, tmp_path):
    picture = one_colour("lime")
    picture.save(tmp_path / "a.png")
    forms = [tmp_path / "a.png", str(tmp_path / "a.png"), np.asarray(picture), picture]
    answers = kc.predict(model, forms, labels=LABELS)
    assert len(answers) == 4
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0].label == "green"


def test_single_picture_gives_a_list_of_one(model):
    picture = one_colour("blue")
    assert kc.predict(model, picture) == kc.predict(model, np.asarray(picture)) == kc.predict(model, [picture])


def test_answers_are_sorted_and_cut_to_top(model):
    (answer,) = kc.predict(model, [one_colour((255, 128, 0))], top=2, labels=LABELS)
    assert [guess.label for guess in answer] == ["red", "green"]
    assert answer[0].probability > answer[1].probability
    (everything,) = kc.predict(model, [one_colour("black")], top=10, labels=LABELS)
    np.testing.assert_allclose(sum(guess.probability for guess in everything), 1, atol=1e-6)


def test_it_answers_what_the_model_answers_to_preprocessed_pictures(model):
    picture = np.random.default_rng(0).integers(0, 256, (9, 14, 3), np.uint8)
    (direct,) = model.predict(kc.preprocess_input(picture, model), verbose=0)
    (answer,) = kc.predict(model, picture, top=4)
    assert {guess.label: pytest.approx(guess.probability, abs=1e-6) for guess in answer} == {
        str(index): value for index, value in enumerate(direct)
    }


def test_classes_without_names_are_numbers(model):
    assert kc.predict(model, one_colour("red"), top=1)[0][0][:2] == (None, "1")


def test_thousand_classes_are_imagenets_unless_the_weights_say_otherwise():
    model = colour_model(classes=1000)
    assert kc.predict(model, one_colour("red"), top=1)[0][0][:2] == ("n01443537", "goldfish, Carassius auratus")
    model.origin = {"labels": None}
    assert kc.predict(model, one_colour("red"), top=1)[0][0][:2] == (None, "1")
    model.origin = {"labels": "imagenet-1k"}
    assert kc.predict(model, one_colour("red"), top=1)[0][0].wnid == "n01443537"


@pytest.mark.parametrize("batch_size", [1, 2, 3, None])
def test_order_and_answers_do_not_depend_on_the_batches(model, batch_size):
    colours = ["red", "blue", "lime", "black", "red"]
    pictures = [one_colour(colour) for colour in colours]
    answers = kc.predict(model, pictures, top=1, labels=LABELS, batch_size=batch_size)
    assert [answer[0].label for answer in answers] == ["red", "blue", "green", "dark", "red"]


def test_no_pictures_give_no_answers(model):
    assert kc.predict(model, []) == []


def test_model_with_channels_first_answers_the_same(model):
    turned = colour_model(shape=(3, 4, 6))
    (expected,), (answer,) = (kc.predict(one, one_colour("red"), labels=LABELS) for one in (model, turned))
    assert [guess.label for guess in answer] == [guess.label for guess in expected]
    np.testing.assert_allclose([g.probability for g in answer], [g.probability for g in expected], atol=1e-6)


@pytest.mark.parametrize(
    ("images", "options", "error", "message"),
    [
        (one_colour("red"), {"labels": ["a", "b"]}, ValueError, "each of the 4 classes; got 2 names"),
        (one_colour("red"), {"batch_size": 0}, ValueError, "batch_size must be 1 or more; got 0"),
        (one_colour("red"), {"top": 0}, ValueError, "top must be a whole number from 1 up; got 0"),
        (np.zeros((4, 6, 5), np.uint8), {}, ValueError, r"1, 3 or 4 channels; got \(4, 6, 5\)"),
        (["a.png", 7], {}, TypeError, "got int"),
        ("nowhere.png", {}, UnreadableImage, r"nowhere\.png: No such file"),
    ],
)
def test_what_is_no_picture_is_refused(model, images, options, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one_colour("red").save("a.png")
    with pytest.raises(error, match=message):
        kc.predict(model, images, **options)


def test_logits_are_not_taken_for_probabilities():
    with pytest.raises(ValueError, match=r"must be probabilities from 0 to 1; 'colours' gives .*softmax"):
        kc.predict(colour_model(activation=None), one_colour("red"))


def test_model_without_its_top_is_refused():
    model = kc.CoAtNet("coatnet_tiny200_ccct", input_shape=(32, 64, 3), include_top=False)
    with pytest.raises(ValueError, match=r"must give \(N, classes\).*with its top"):
        kc.predict(model, one_colour("red"))
