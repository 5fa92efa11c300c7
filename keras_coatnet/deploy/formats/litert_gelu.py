"""GELU without the builtin of its name, for GPU delegates that do not know it."""

from keras_coatnet.layers.activation import gelu_by_sigmoid

EXACT_GELU = ("gelu", "keras_coatnet>gelu")


def without_gelu_builtin(model):
    """A copy of a model whose exact GELUs are made of products, sums and one sigmoid; within 1e-6 of them.

    LiteRT has no `erf`, and its converter turns every usual form of GELU into the builtin.
    """
    import keras

    replacement = keras.saving.serialize_keras_object(gelu_by_sigmoid)
    twin = model.__class__.from_config(replace_activations(model.get_config(), replacement))
    twin.set_weights(model.get_weights())
    return twin


def replace_activations(config, replacement):
    """A layer's config, or a whole model's, with every exact GELU in it replaced."""
    if isinstance(config, dict):
        return {
            key: replacement
            if key.endswith("activation") and _is_gelu(value)
            else replace_activations(value, replacement)
            for key, value in config.items()
        }
    if isinstance(config, list | tuple):
        return type(config)(replace_activations(entry, replacement) for entry in config)
    return config


def _is_gelu(value):
    """Whether an entry of a config is the exact GELU, by name or serialised."""
    if not isinstance(value, dict):
        return value in EXACT_GELU
    return value.get("class_name") == "function" and value.get("config") in EXACT_GELU
