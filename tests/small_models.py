"""Models that are quick to export: a narrow twin, and classifiers of a few weights."""

import keras
from narrow_twins import narrow_twin
from running import randomize

import keras_coatnet as kc

SIDE = 32
CLASSES = 5


def twin(input_shape=(SIDE, SIDE, 3), name="coatnet_0_rw", **options):
    """A narrow twin with random weights and statistics."""
    model = kc.CoAtNet(narrow_twin(name), **{"input_shape": input_shape, "num_classes": CLASSES, **options})
    randomize(model)
    return model


def tiny(input_shape=(SIDE, SIDE, 3), activation="softmax", classes=CLASSES):
    """A classifier without a spec."""
    model = keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(classes, activation=activation),
        ],
        name="tiny",
    )
    randomize(model)
    return model
