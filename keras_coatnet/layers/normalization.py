"""The normalisations by name, and what is left of one that was folded into its neighbours."""

import keras

from keras_coatnet.layers.affine import Affine
from keras_coatnet.layers.arguments import check_choice
from keras_coatnet.layers.fast import tensorflow_forms
from keras_coatnet.layers.fast.forward import forward
from keras_coatnet.layers.initializers import Constant

NORMALIZATIONS = ("batch", "layer")
# "affine": a scale and an offset; "standardize": a layer norm without them; None: nothing.
KINDS = (*NORMALIZATIONS, "affine", "standardize", None)


def check_norms(norm, places):
    """The kind of norm at each place of a layer.

    Args:
        norm: one of `KINDS` for all places, or a list or tuple of them, one a place.
        places: how many there are.

    Returns: tuple of kinds.
    Raises: ValueError for an unknown kind or another number of them.
    """
    kinds = tuple(norm) if isinstance(norm, list | tuple) else (norm,) * places
    for kind in kinds:
        check_choice("norm", kind, KINDS)
    if len(kinds) != places:
        raise ValueError(f"norm must be one kind or {places}, one a place; got {kinds}.")
    return kinds


def normalization(kind, *, epsilon, momentum, name, dtype):
    """A normalisation over the channels.

    Args:
        kind: one of `KINDS`.
        epsilon: added to the variance.
        momentum: share of the old moving statistics that stays at each step; batch normalisation only.
        name, dtype: of the layer.

    Returns: the layer; None for no norm.
    Raises: ValueError for another `kind`.
    """
    check_choice("norm", kind, KINDS)
    if kind is None:
        return None
    if kind == "affine":
        return Affine(name=name, dtype=dtype)
    if kind == "standardize":
        return keras.layers.LayerNormalization(epsilon=epsilon, center=False, scale=False, name=name, dtype=dtype)
    affine = {"gamma_initializer": Constant(1.0), "beta_initializer": Constant(0.0)}
    if kind == "layer":
        return keras.layers.LayerNormalization(epsilon=epsilon, **affine, name=name, dtype=dtype)
    statistics = {"moving_mean_initializer": Constant(0.0), "moving_variance_initializer": Constant(1.0)}
    return keras.layers.BatchNormalization(
        epsilon=epsilon, momentum=momentum, **affine, **statistics, name=name, dtype=dtype
    )


def normalize(norm, x, training):
    """`x` behind a layer of `normalization`; `x` itself behind None."""
    if norm is None:
        return x
    if training and tensorflow_forms.has_batch_norm(norm, x):
        return tensorflow_forms.batch_norm(norm, x)
    learns = isinstance(norm, keras.layers.BatchNormalization)
    return forward(norm, x, training=training) if learns else forward(norm, x)
