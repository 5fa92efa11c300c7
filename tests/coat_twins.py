"""Small twins of both kinds of CoaT."""

import functools

from running import randomize

import keras_coatnet as kc

TWINS = ("coat_lite_mini", "coat_mini")


def twin(name):
    return kc.narrow(name, (1, 1, 1, 2) if "lite" in name else (1, 1, 2, 1, 2), (8, 16, 16, 16))


@functools.cache
def filled(name, **keywords):
    """A twin with random weights; tests do not change it."""
    return fresh(name, **keywords)


def fresh(name, input_shape=(64, 96, 3), seed=0, **keywords):
    model = kc.CoaT(twin(name), input_shape=input_shape, classifier_activation=None, num_classes=5, **keywords)
    randomize(model, seed)
    return model
