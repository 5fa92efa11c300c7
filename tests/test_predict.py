"""Pictures to labels."""

import keras
import numpy as np
import pytest
from PIL import Image

from keras_coatnet.images.read import UnreadableImage
from keras_coatnet.predict import input_size, predict

LABELS = ["dark", "red", "green", "blue"]


@pytest.fixture(scope="module")
def model():
    """Classifies by colour, with known weights: the logit of each channel is its mean, of "dark" 0."""
    model = keras.Sequential(
        [
            keras.Input((4, 6, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    model.set_weights([np.eye(3, 4, 1, "float32"), np.zeros(4, "float32")])
    return model


def one_colour(colour, size=(9, 5)):
    return Image.new("RGB", size, colour)


def test_paths_arrays_and_pil_images_give_the_same_answer(model, tmp_path):
    picture = one_colour("lime")
    picture.save(tmp_path / "a.png")
    answers = predict(model, [tmp_path / "a.png", str(tmp_path / "a.png"), np.asarray(picture), picture], labels=LABELS)
    assert len(answers) == 4
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0].label == "green"


def test_single_picture_gives_a_list_of_one(model):
    picture = one_colour("blue")
    assert predict(model, picture) == predict(model, np.asarray(picture)) == predict(model, [picture])


def test_answers_are_sorted_and_cut_to_top(model):
    (answer,) = predict(model, [one_colour((255, 128, 0))], top=2, labels=LABELS)
    assert [guess.label for guess in answer] == ["red", "green"]
    assert answer[0].probability > answer[1].probability
    (everything,) = predict(model, [one_colour("black")], top=10, labels=LABELS)
    np.testing.assert_allclose(sum(guess.probability for guess in everything), 1, atol=1e-6)


def test_classes_without_names_are_numbers(model):
    assert predict(model, one_colour("red"), top=1)[0][0].label == "1"


@pytest.mark.parametrize("batch_size", [1, 2, 3, None])
def test_order_and_answers_do_not_depend_on_the_batches(model, batch_size):
    colours = ["red", "blue", "lime", "black", "red"]
    answers = predict(model, [one_colour(colour) for colour in colours], top=1, labels=LABELS, batch_size=batch_size)
    assert [answer[0].label for answer in answers] == ["red", "blue", "green", "dark", "red"]


def test_no_pictures_give_no_answers(model):
    assert predict(model, []) == []


def test_model_of_any_size_gets_224():
    model = keras.Sequential([keras.Input((None, 40, 3)), keras.layers.GlobalAveragePooling2D()])
    assert input_size(model) == (224, 40)


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (one_colour("red"), ["a", "b"], ValueError, "each of the model's 4 classes; got 2 names"),
        (np.zeros((4, 6), np.uint8), None, ValueError, r"uint8 \(H, W, 3\); got uint8 \(4, 6\)"),
        (np.zeros((4, 6, 3), np.float32), None, ValueError, r"uint8 \(H, W, 3\); got float32 \(4, 6, 3\)"),
        ("nowhere.png", None, UnreadableImage, r"nowhere\.png: No such file"),
    ],
)
def test_what_is_no_picture_is_refused(model, images, labels, error, message):
    with pytest.raises(error, match=message):
        predict(model, images, labels=labels)
