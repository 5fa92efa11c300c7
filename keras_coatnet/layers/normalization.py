"""The two normalisations, by name."""

import keras

from keras_coatnet.layers.arguments import check_choice
from keras_coatnet.layers.initializers import Constant

NORMALIZATIONS = ("batch", "layer")


def normalization(kind, *, epsilon, momentum, name, dtype):
    """A normalisation over the channels.

    Args:
        kind: "batch" or "layer".
        epsilon: added to the variance.
        momentum: share of the old moving statistics that stays at each step; batch normalisation only.
        name, dtype: of the layer.

    Raises:
        ValueError: another `kind`.
    """
    check_choice("norm", kind, NORMALIZATIONS)
    affine = {"gamma_initializer": Constant(1.0), "beta_initializer": Constant(0.0)}
    if kind == "layer":
        return keras.layers.LayerNormalization(epsilon=epsilon, **affine, name=name, dtype=dtype)
    statistics = {"moving_mean_initializer": Constant(0.0), "moving_variance_initializer": Constant(1.0)}
    return keras.layers.BatchNormalization(
        epsilon=epsilon, momentum=momentum, **affine, **statistics, name=name, dtype=dtype
    )
