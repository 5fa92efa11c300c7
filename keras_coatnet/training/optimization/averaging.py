"""Averaged weights in their places: evaluated with each epoch, kept at the end, and never mixed up with the raw ones.

Keras' own `SwapEMAWeights` swaps by adding and subtracting on TensorFlow, which changes the last bits of what goes on
being trained; and Keras' `fit` overwrites the raw weights with the averages whenever it returns.
"""

import contextlib

import keras

from keras_coatnet.training.scale.values import whole_value


def averaged_pairs(optimizer):
    """(variable, its average) of all variables that the optimizer averages: an empty list without `use_ema`."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # float16 wraps it
    if not getattr(optimizer, "use_ema", False):
        return []
    pairs = zip(optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True)
    return [(variable, average) for variable, average in pairs if average is not None]


def use_averages(optimizer):
    """Gives the model the averaged weights for good."""
    for variable, average in averaged_pairs(optimizer):
        variable.assign(whole_value(average))


@contextlib.contextmanager
def raw_weights_kept(optimizer):
    """Inside this block `fit` leaves the raw weights in the model when it returns, so that they can be trained on."""
    averaging = getattr(optimizer, "inner_optimizer", optimizer)
    averaging.finalize_variable_values = lambda variables: None
    try:
        yield
    finally:
        del averaging.finalize_variable_values


class AveragedEvaluation(keras.callbacks.Callback):
    """Evaluates the averaged weights instead of the raw ones, which are put back to the bit."""

    _raw = None

    def on_test_begin(self, logs=None):
        pairs = averaged_pairs(self.model.optimizer)
        self._raw = [(variable, whole_value(variable)) for variable, _ in pairs]
        for variable, average in pairs:
            variable.assign(whole_value(average))

    def on_test_end(self, logs=None):
        self.put_back()

    def put_back(self):
        """Also for an evaluation that was broken off."""
        for variable, value in self._raw or ():
            variable.assign(value)
        self._raw = None
