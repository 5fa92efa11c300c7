"""The weights of a model by the names of their layers: `stage1_block1/expansion/kernel`."""

import dataclasses


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
