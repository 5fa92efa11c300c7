"""The model class: a Keras Functional model that remembers its spec and how it was built."""

import dataclasses
import json

import keras

from keras_coatnet.coatnet.names import NAME_TABLES
from keras_coatnet.coatnet.plan import plan_blocks
from keras_coatnet.coatnet.sizes import check_input_sides
from keras_coatnet.coatnet.spec import spec_from_config, spec_to_config


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


@keras.saving.register_keras_serializable(package="keras_coatnet")
class CoAtNetModel(keras.Model):
    """A Functional model that remembers the spec and the options it was built from, through `.keras` files too."""

    def __init__(self, inputs, outputs, name=None, **kwargs):
        spec = kwargs.pop("spec", None)
        options = kwargs.pop("options", None)
        origin = kwargs.pop("origin", None)
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
        self.spec = spec_from_config(spec) if isinstance(spec, dict) else spec
        self.options = options_from_config(options) if isinstance(options, dict) else options
        self.origin = origin

    def get_config(self):
        return {
            **super().get_config(),
            "spec": None if self.spec is None else spec_to_config(self.spec),
            "options": None if self.options is None else options_to_config(self.options),
            "origin": self.origin,
        }

    @property
    def origin(self):
        """Where the weights are from, as its manifest row says: name, input_size, labels, preprocessing; or None."""
        return None if self._origin is None else json.loads(self._origin)

    @origin.setter
    def origin(self, value):
        # As text, since Keras tracks dictionaries and lists that are attributes of a model.
        self._origin = None if value is None else json.dumps(value)

    def call(self, inputs, training=None, mask=None, **kwargs):
        self._check_open_sides(inputs)
        return super().call(inputs, training=training, mask=mask, **kwargs)

    def _check_open_sides(self, inputs):
        """Where any size shall do, say which ones fit before a backend fails inside some block."""
        # Behind other layers the stem's map is theirs to know.
        if self.spec is None or None not in self.input_shape or self.get_layer("stem").input is not self.inputs[0]:
            return
        sides = tuple(getattr(inputs, "shape", ()))[1:3]
        if any(type(side) is int and side % self.spec.size_multiple for side in sides):
            check_input_sides(self.spec, sides)

    # What the weights package asks of a family's model: the peers' names, and what its layers are.
    name_tables = NAME_TABLES
    head_layers = ("head_norm", "pre_logits", "predictions")
    classifier = "predictions"
    first_convolution = "stem/convolution1/kernel"

    @property
    def checkpoint_layers(self):
        """The layers that a checkpoint fills: stem, blocks and head, not what a user put in front of them."""
        names = {"stem", *(block.name for block in plan_blocks(self.spec)), *self.head_layers}
        return [layer for layer in self.layers if layer.name in names]

    @property
    def stage_tensors(self):
        """Symbolic outputs of the stem and of each stage, un-normed: a list."""
        last_of_stage = {block.stage: block.name for block in plan_blocks(self._known_spec())}
        return [self.get_layer(name).output for name in ("stem", *last_of_stage.values())]

    @property
    def pyramid_outputs(self):
        """{"P1": tensor, ...}: the last map of stride 2^n as "Pn", for detectors and segmenters."""
        stride, maps = 1, {}
        for step in self._known_spec().stem_strides:
            stride *= step
        stem, *stages = self.stage_tensors
        for tensor, step in zip([stem, *stages], (1, *self.spec.strides), strict=True):
            stride *= step
            if stride & (stride - 1) == 0:
                maps[f"P{stride.bit_length() - 1}"] = tensor
        return maps

    def _known_spec(self):
        if self.spec is None:
            raise ValueError(
                f"{self.name!r} has no spec: keras.models.clone_model does not carry it over. "
                "model.__class__.from_config(model.get_config()) makes a copy that has it."
            )
        return self.spec

    def load_weights(self, filepath, *args, **kwargs):
        super().load_weights(filepath, *args, **kwargs)
        self.forget_compiled_functions()

    def forget_compiled_functions(self):
        """Have `fit`, `evaluate` and `predict` trace again: a table made anew in another shape is another variable."""
        self.train_function = self.test_function = self.predict_function = None


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
