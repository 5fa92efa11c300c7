"""Classifiers whose answers anybody can tell: by the colour of a picture."""

import keras
import numpy as np

LABELS = ["dark", "red", "green", "blue"]
HEIGHT, WIDTH = 4, 6


def colour_model(activation="softmax", classes=4, shape=(HEIGHT, WIDTH, 3)):
    """The logit of classes 1, 2 and 3 is the mean of their channel, that of 0 is 0, those of all others -9."""
    layout = "channels_last" if shape[-1] == 3 else "channels_first"
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.GlobalAveragePooling2D(data_format=layout),
            keras.layers.Dense(classes, activation=activation),
        ],
        name="colours",
    )
    biases = np.where(np.arange(classes) < len(LABELS), 0, -9).astype("float32")
    model.set_weights([np.eye(3, classes, 1, "float32"), biases])
    return model
