"""A run of seconds with everything in it that a resumed one could lose: dropout, drop path, norms, averages, parts."""

import keras
import numpy as np
from running import to_numpy

import keras_coatnet as kc
from keras_coatnet.training.data.feeds import evaluation_feed, training_feed
from keras_coatnet.training.data.sources import Rows
from keras_coatnet.training.recipes import get_recipe
from keras_coatnet.training.run.loop import train

SIZE = (32, 48)
STEPS = 4  # of an epoch
RECIPE = get_recipe("transfer").replace(
    epochs=2, batch_size=8, accumulation=2, ema_decay=0.9, warmup_epochs=0.5, rand_augment_layers=0, mixup=0.2
)
SPEC = kc.coatnet_spec((1, 1), (8, 8), 4, layout="CT", head_dim=8)


def rows(count=16):
    """Dark (0) and bright (1) noise."""
    generator = np.random.default_rng(0)
    return Rows(
        [(generator.integers(0, 100, (36, 50, 3), np.uint8) + np.uint8(150 * (i % 2)), i % 2) for i in range(count)]
    )


def make_model(seed=1):
    """Dropout without a seed of its own, which PyTorch draws from its global generator."""
    keras.utils.set_random_seed(seed)
    return kc.CoAtNet(
        SPEC, input_shape=(*SIZE, 3), num_classes=2, drop_path_rate=0.3, dropout_rate=0.3, attention_dropout_rate=0.1
    )


def make_tiny_model(height=SIZE[0], width=SIZE[1], dtype=None):
    """A model that every backend compiles at once, where what is tested is not the model."""
    layers = [keras.layers.AveragePooling2D(8), keras.layers.Flatten(), keras.layers.Dense(2, dtype=dtype)]
    return keras.Sequential(
        [keras.Input((height, width, 3)), *layers, keras.layers.Activation("softmax", dtype="float32")]
    )


def make_feeds(recipe=RECIPE, size=SIZE):
    feed = training_feed(rows(), 2, recipe, size=size, workers=0, loader="keras", seed=3)
    held_out = evaluation_feed(rows(5), 2, recipe.preprocessing(), size, batch_size=4, workers=0, loader="keras")
    return feed, held_out


def run(recipe=RECIPE, model=None, **options):
    """(model, history) of a run, with `options` of `train`."""
    model = model or make_model()
    history = train(model, recipe, *make_feeds(recipe), **options)
    return model, history


def values(model):
    return [np.array(to_numpy(variable.value)) for variable in model.variables]


class StopAfter:
    """Asks for a stop when it has been looked at so many times."""

    def __init__(self, looks):
        self.looks = looks

    @property
    def requested(self):
        self.looks -= 1
        return self.looks < 0
