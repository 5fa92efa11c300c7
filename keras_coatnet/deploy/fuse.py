"""The same function without the norms that its linear maps can take."""

import dataclasses

import keras

from keras_coatnet.registry import count, folded_twin
from keras_coatnet.weights.folding import FoldedNorm, fold
from keras_coatnet.weights.slots import find_slots


def fuse(model):
    """A copy of a trained model for prediction, with every norm folded that can be.

    Batch norms go into the convolution before them, or forward into the 1x1 convolution behind; scale and shift of
    layer norms, layer scales and the attention's 1/sqrt(d) go into the linear maps beside them; position biases become
    constants where that adds less than a tenth to the file. What an activation, a max pool or squeeze and excitation
    keeps from its neighbour stays as one multiplication and one addition.

    Args:
        model: of this package, as its own function built it. It is not changed.

    Returns: a model of `model.spec.fused()` with the attribute `fusion`, a `FusionReport` that prints as a table. A
        fused model is returned as it is.
    Raises: ValueError for a model without a spec, with layers put in front of it, or with quantized weights.
    """
    if getattr(getattr(model, "spec", None), "folded", False):
        return model
    twin, steps = folded_twin(model)
    check_not_quantized(model)
    slots = find_slots(model)
    arrays = fold({name: keras.ops.convert_to_numpy(slot.variable.value) for name, slot in slots.items()}, steps)
    assign_all(twin, arrays)
    twin.origin = model.origin
    twin.fusion = report(model, twin, steps)
    return twin


def check_not_quantized(model):
    """Raise a ValueError for integer kernels, which nothing can be multiplied into."""
    for layer in model._flatten_layers(include_self=False):
        if getattr(layer, "quantization_mode", None) is not None:
            raise ValueError(
                f"{model.name!r} is quantized ({layer.quantization_mode}) and cannot be fused. Fuse it, then quantize."
            )


def assign_all(model, arrays):
    """Give a model its weights; each array has its place and each place its array."""
    slots = find_slots(model)
    if slots.keys() != arrays.keys():
        raise RuntimeError(f"Weights without a place or places without weights: {sorted(slots.keys() ^ arrays.keys())}")
    for name, slot in slots.items():
        slot.variable.assign(arrays[name].astype(slot.variable.dtype))


@dataclasses.dataclass(frozen=True)
class Size:
    """How much a model is: layers, norms among them, numbers it holds, multiply-adds for one image."""

    layers: int
    norms: int
    parameters: int
    macs: int | None


@dataclasses.dataclass(frozen=True)
class FusionReport:
    """What `fuse` did: sizes before and after, and {what stays: reason} of norms that did not go entirely."""

    name: str
    before: Size
    after: Size
    stays: dict

    def __str__(self):
        head = f"{self.name + ' fused':32}{'before':>16}{'after':>16}"
        rows = [
            f"{field.name.replace('macs', 'multiply-adds'):32}{before:>16,}{after:>16,}"
            for field in dataclasses.fields(Size)
            if (before := getattr(self.before, field.name)) is not None
            and (after := getattr(self.after, field.name)) is not None
        ]
        reasons = [f"stays: {what}, since {reason}" for what, reason in self.stays.items()]
        return "\n".join([head, *rows, *reasons])


def report(model, twin, steps):
    """The `FusionReport` of a model, its folded twin and the steps between them."""
    left = {"affine": "scale and shift of", "layer": "scale and shift of"}
    stays = {
        f"{left[step.left]} {step.norm}": step.reason for step in steps if isinstance(step, FoldedNorm) and step.reason
    }
    return FusionReport(model.name, size_of(model), size_of(twin), stays)


def size_of(model):
    """The `Size` of a model; its multiply-adds are None where its images are of any size."""
    layers = [
        layer
        for layer in model._flatten_layers(include_self=False)
        if not list(layer._flatten_layers(include_self=False))
    ]
    norms = [
        each for each in layers if isinstance(each, keras.layers.BatchNormalization | keras.layers.LayerNormalization)
    ]
    sides = model.input_shape[1:]
    macs = None
    if None not in sides:
        if keras.config.image_data_format() == "channels_first":
            sides = (*sides[1:], sides[0])
        classes = model.output_shape[-1] if model.options.include_top else 0
        macs = count(dataclasses.replace(model.spec, num_classes=classes), sides).macs
    return Size(len(layers), len(norms), model.count_params(), macs)
