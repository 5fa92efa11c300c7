"""From a name, a file or a model to a classifier and its labels."""

import pytest
from colour_models import LABELS, colour_model

import keras_coatnet as kc
from keras_coatnet.images.labels import write_labels
from keras_coatnet.prediction.load import load

SMALL = "coatnet_tiny200_ccct"


def test_keras_file_comes_with_the_classes_beside_it(tmp_path):
    colour_model().save(tmp_path / "model.keras")
    assert load(str(tmp_path / "model.keras"))[1] is None
    write_labels(tmp_path / "classes.json", LABELS)
    for path in (str(tmp_path / "model.keras"), tmp_path / "model.keras"):
        model, labels = load(path)
        assert model.output_shape == (None, 4)
        assert labels == LABELS


def test_model_is_returned_as_it_is():
    model = colour_model()
    assert load(model) == (model, None)


def test_variant_with_a_checkpoint_gets_its_weights_and_classes(tmp_path):
    trained = kc.CoAtNet(SMALL, num_classes=4)
    kc.save_checkpoint(trained, tmp_path / "a.weights.h5")
    write_labels(tmp_path / "classes.json", LABELS)
    model, labels = load(SMALL, str(tmp_path / "a.weights.h5"))
    assert model.count_params() == trained.count_params()
    assert labels == LABELS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("coatnet_zero",), "Unknown variant 'coatnet_zero'"),
        (("nowhere.keras",), "nowhere.keras: no such file"),
        (("a.keras", "imagenet"), "a.keras holds its own, got weights='imagenet'"),
        ((SMALL, "no_such_tag"), "no_such_tag|no trained weights"),
    ],
)
def test_what_cannot_be_loaded_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        load(*arguments)
