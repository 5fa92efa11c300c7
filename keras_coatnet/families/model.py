"""The base of all families' models: a Keras Functional model that remembers its spec and how it was built."""

import dataclasses
import json

import keras

from keras_coatnet.families.by_image import answer_by_image
from keras_coatnet.families.options import options_from_config, options_to_config
from keras_coatnet.families.straight_run import answer_straight


class FamilyModel(keras.Model):
    """A Functional model that remembers the spec and the options it was built from, through `.keras` files too.

    A family's class says what else is asked of a model:

        spec_class: of its specs. first_layer: name of the layer that reads the images.
        name_tables: where peers keep each tensor. first_convolution: its kernel, which other channels adapt.
        classifier, head_layers: names of the layer that tells classes apart, and of all behind the last raw map.
        plain_layers: names of layers without weights that only this family has.
        poolings: what `pooling` may be.
        table_resize: the spec's rule for relative-position tables of another size; None without tables.
        checkpoint_layers: the layers that a checkpoint fills. stage_tensors, pyramid_outputs: maps.
        deciding_layers: {stage: name of the layer that, at its last call, gives the stage's last map on which the
            classes depend}, in the order of `stage_tensors`.
        convolutional_end: name of the last layer that treats every pixel of a large map alike, the only one that the
            layers behind it read; None where there is none.
        check_input_sides(spec, sides): raises a ValueError for sides that a spec cannot take.
    """

    table_resize = None
    convolutional_end = None
    plain_layers = ()

    def __init__(self, inputs, outputs, name=None, **kwargs):
        spec = kwargs.pop("spec", None)
        options = kwargs.pop("options", None)
        origin = kwargs.pop("origin", None)
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
        self.spec = self.spec_class(**spec) if isinstance(spec, dict) else spec
        self.options = options_from_config(options) if isinstance(options, dict) else options
        self.origin = origin

    def get_config(self):
        return {
            **super().get_config(),
            "spec": None if self.spec is None else dataclasses.asdict(self.spec),
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
        for answer_quickly in (answer_by_image, answer_straight) if mask is None and not kwargs else ():
            answer = answer_quickly(self, inputs, training)
            if answer is not None:
                return answer
        return super().call(inputs, training=training, mask=mask, **kwargs)

    def _check_open_sides(self, inputs):
        """Where any size shall do, say which ones fit before a backend fails inside some block."""
        if self.spec is None or None not in self.input_shape:
            return
        # Behind other layers the map that arrives is theirs to know.
        if self.get_layer(self.first_layer).input is not self.inputs[0]:
            return
        sides = tuple(getattr(inputs, "shape", ()))[1:3]
        if any(type(side) is int and self.may_not_fit(side) for side in sides):
            self.check_input_sides(self.spec, sides)

    def may_not_fit(self, side):
        """Whether a side has to be looked at: a quick answer, since every call asks."""
        return True

    @property
    def known_spec(self):
        """The spec; a ValueError where there is none."""
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
