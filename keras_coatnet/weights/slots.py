"""The weights of a model by the names of their layers: `stage1_block1/expansion/kernel`."""

import dataclasses

import keras

from keras_coatnet.layers.relative_position import RelativePositionBiasTable


@dataclasses.dataclass(frozen=True)
class Slot:
    """One weight of a model.

    `key` is its name in our own files, where weights are numbered; `layer` the layer that owns it, `path` that layer's
    name.
    """

    key: str
    path: str
    layer: object
    variable: object


def find_slots(model):
    """name -> `Slot` of every weight of a model: variables but for the states of random generators."""
    slots = {}
    for layer in model.checkpoint_layers:
        _collect(layer, layer.name, slots)
    return slots


def _collect(layer, path, slots):
    own = [*layer._trainable_variables, *layer._non_trainable_variables]
    for index, variable in enumerate(own):
        slots[f"{path}/{variable.name}"] = Slot(f"{path}/{index}", path, layer, variable)
    for child in layer._flatten_layers(include_self=False, recursive=False):
        _collect(child, f"{path}/{child.name}", slots)


def copy_weights(model, other):
    """Give `other`, a model of the same spec, the weights of `model`; tables are resized to the maps of `other`."""
    sources = find_slots(model)
    for name, slot in find_slots(other).items():
        source = sources[name]
        value = keras.ops.convert_to_numpy(source.variable.value)
        if isinstance(slot.layer, RelativePositionBiasTable):
            slot.layer.assign_table(value, source.layer.table_grid)
        else:
            slot.variable.assign(value)
        slot.layer.trainable = source.layer.trainable
