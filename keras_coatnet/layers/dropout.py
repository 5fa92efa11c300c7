"""Dropout that resumes: y = mask * x / (1 - rate), one draw an element. Srivastava et al., JMLR 15, 2014."""

import keras

from keras_coatnet.layers.random_state import SavedRandomState


@keras.saving.register_keras_serializable(package="keras_coatnet")
class Dropout(SavedRandomState, keras.layers.Dropout):
    """`keras.layers.Dropout` whose random state is saved with the weights.

    Without a `seed`, Keras on PyTorch draws from PyTorch's global generator: there, save `torch.get_rng_state()` too.
    """
