"""Stochastic depth: y = mask * x / (1 - rate), one draw a sample. Huang et al., arXiv 1603.09382."""

import keras
from keras import ops

from keras_coatnet.layers.arguments import check_rates
from keras_coatnet.layers.random_state import SavedRandomState


@keras.saving.register_keras_serializable(package="keras_coatnet")
class DropPath(SavedRandomState, keras.layers.Layer):
    """Drops the whole residual branch of a sample in training.

    Always present in a block, also at rate 0, and its random state is saved with the weights: a run that is resumed
    draws the same masks as one that never stopped.

    Args:
        rate: probability that a sample's branch is dropped, 0 <= rate < 1.
        seed: integer or None.

    Shapes: any, the first axis being the batch; unchanged.
    Raises: ValueError for a rate outside [0, 1).
    Source: arXiv 1603.09382.
    """

    def __init__(self, rate=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        check_rates(rate=rate)
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self.built = True

    def call(self, x, training=None):
        if not training or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        shape = (ops.shape(x)[0],) + (1,) * (len(x.shape) - 1)
        kept = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator) < keep
        return x * (ops.cast(kept, x.dtype) / ops.cast(keep, x.dtype))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
