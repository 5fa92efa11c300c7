"""A run to be killed: `python killed_run.py FOLDER` trains, saves after every batch, and leaves its last weights."""

import sys

import keras
import numpy as np
from small_runs import RECIPE, SIZE, run, values

LONG = RECIPE.replace(epochs=12, ema_decay=0.99)


def make_model():
    """Small to compute and large to save, so that a kill at any time is often one in a writing."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.AveragePooling2D(8), keras.layers.Flatten(), keras.layers.Dense(4000, "relu")]
    layers += [keras.layers.Dropout(0.2), keras.layers.Dense(2, "softmax")]
    return keras.Sequential([keras.Input((*SIZE, 3)), *layers])


def last_weights(folder):
    model, _ = run(LONG, make_model(), resume_folder=folder, save_every=1)
    return values(model)


if __name__ == "__main__":
    np.savez(f"{sys.argv[1]}/last.npz", *last_weights(sys.argv[1]))
