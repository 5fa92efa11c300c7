"""Small classifiers to explain: a CoAtNet whose stages convolve and attend, and one that reads a corner of a map."""

import keras
import numpy as np
from running import randomize

import keras_coatnet as kc

LABELS = ["cat", "dog", "crane", "cup", "car"]
SHAPE = (32, 48, 3)
# Of its maps: the stem, a stage of convolutions, two of attention.
SIDES = {"stem": (16, 24), "stage1": (8, 12), "stage2": (4, 6), "stage3": (2, 3)}


def coatnet(input_shape=SHAPE, seed=0, spec=None, **options):
    spec = spec or kc.coatnet_spec((1, 1, 2), (16, 16, 16), 8, layout="CTT", head_dim=8, input_size=32)
    model = kc.CoAtNet(spec, **{"input_shape": input_shape, "num_classes": len(LABELS), **options})
    randomize(model, seed)
    return model


def corner_reader(corner=(2, 3), classes=3, side=8):
    """A classifier that reads the top left corner of its layer "map" and nothing else."""
    images = keras.Input((side, side + 2, 3))
    x = keras.layers.Conv2D(5, 3, padding="same", activation="relu", data_format="channels_last", name="map")(images)
    cut = (side - corner[0], side + 2 - corner[1])
    x = keras.layers.Cropping2D(((0, cut[0]), (0, cut[1])), data_format="channels_last")(x)
    x = keras.layers.GlobalAveragePooling2D(data_format="channels_last")(x)
    model = keras.Model(images, keras.layers.Dense(classes, activation="softmax", name="classes")(x), name="corner")
    randomize(model)
    return model


def noise(sides=(40, 60), seed=0):
    """A picture of random bytes."""
    return np.random.default_rng(seed).integers(0, 256, (*sides, 3), dtype="uint8")
