"""What a user chooses beyond a spec."""

import dataclasses

import keras


@dataclasses.dataclass(frozen=True)
class Options:
    """What a user chooses beyond the spec; kept by the model, so that it can be built again at another size."""

    include_top: bool = True
    pooling: str | None = None
    num_classes: int | None = None
    classifier_activation: str | None = "softmax"
    drop_path_rate: float | None = None
    dropout_rate: float = 0.0
    attention_dropout_rate: float = 0.0
    mlp_dropout_rate: float = 0.0
    dtype: object = None


def options_to_config(options):
    """A dictionary that JSON can hold."""
    config = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    config["dtype"] = keras.dtype_policies.serialize(keras.dtype_policies.get(options.dtype))
    if callable(options.classifier_activation):
        config["classifier_activation"] = keras.activations.serialize(options.classifier_activation)
    return config


def options_from_config(config):
    """The options of `options_to_config`."""
    return Options(**{**config, "dtype": keras.dtype_policies.deserialize(config["dtype"])})
