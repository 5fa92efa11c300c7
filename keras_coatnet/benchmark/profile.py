"""Where the time of a CoAtNet goes: each part alone, forward and backward, beside what the machine could do."""

import dataclasses
import math
from typing import NamedTuple

import keras
import numpy as np

from keras_coatnet import registry
from keras_coatnet.allocator import keep_freed_memory
from keras_coatnet.benchmark.part_steps import part_calls
from keras_coatnet.coatnet.count import part_costs
from keras_coatnet.coatnet.functional import CoAtNetModel
from keras_coatnet.prediction.inputs import COLOURS, input_size

HEAD = "head"
# What is timed of a part: an answer, and in training the forward pass alone and with the gradients.
CALLS = ("inference", "forward", "both")
BYTES = 4


class Part(NamedTuple):
    """Layers between two tensors of a model that cost the same as `count` - 1 others.

    `name`: of the first of them. `members`: names of all. `model`: the part as a model of its own. `macs`: of one
        picture.
    """

    name: str
    members: tuple
    model: keras.Model
    macs: int


def open_profile(mark, name, *, batch_size=8, image_size=None, dtype=None):
    """A model's parts as calls of a process: see `worker_process`.

    Args:
        mark: function of a step's name.
        name: of a CoAtNet.
        batch_size: pictures of a call.
        image_size: (height, width); None is the variant's own.
        dtype: dtype policy; None is float32.

    Returns: calls "PART/CALL" for every part that is unlike those before it and every one of `CALLS`, and the same of
        "whole"; in "about" the rows of `describe`.
    Raises: ValueError for what is no CoAtNet.
    """
    mark("import")
    keep_freed_memory()
    shape = None if image_size is None else (*image_size, COLOURS)
    model = registry.build(name, input_shape=shape, classifier_activation=None, drop_path_rate=0.0, dtype=dtype)
    parts = split(model)
    mark("build")
    calls = {}
    for part in (*parts, Part("whole", (), model, 0)):
        images = random_input(part.model, batch_size)
        calls |= {f"{part.name}/{call}": made for call, made in part_calls(part.model, images).items()}
    return {"calls": calls, "about": {"parts": [describe(part, batch_size) for part in parts]}}


def split(model):
    """The parts of a CoAtNet in order, equal ones once.

    Raises: ValueError for another model.
    """
    if not isinstance(model, CoAtNetModel):
        raise ValueError(f"Only CoAtNets are profiled by blocks; got {model.name!r}, a {type(model).__name__}.")
    spec = dataclasses.replace(model.spec, num_classes=model.output_shape[-1])
    costs = part_costs(spec, (*input_size(model), COLOURS))
    found, start = {}, model.inputs[0]
    for name, cost in costs.items():
        end = model.outputs[0] if name == HEAD else model.get_layer(name).output
        kind = "head" if name == HEAD else type(model.get_layer(name)).__name__
        same = (kind, tuple(start.shape), tuple(end.shape), cost)
        if same not in found:
            found[same] = [name, [], keras.Model(start, end, name=f"{name}_alone"), cost.macs]
        found[same][1].append(name)
        start = end
    return [Part(name, tuple(members), part, macs) for name, members, part, macs in found.values()]


def random_input(model, batch_size):
    shape = (batch_size, *model.inputs[0].shape[1:])
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


def describe(part, batch_size):
    """What the floor of a part is made of: FLOP of the forward pass, and numbers that must move, for one batch."""
    given, made = part.model.inputs[0].shape[1:], part.model.outputs[0].shape[1:]
    return {
        "name": part.name,
        "members": part.members,
        "input_shape": given,
        "output_shape": made,
        "flop": 2 * part.macs * batch_size,
        "inputs": batch_size * math.prod(given),
        "outputs": batch_size * math.prod(made),
        "weights": part.model.count_params(),
    }


def floors(part, limits):
    """Seconds that a part takes at least: {"forward", "backward"} as {"products", "traffic"}.

    Products: FLOP over the fastest matrix product. The backward pass has twice as many: for the input's gradient and
    for the weights'. Traffic: input, output, weights and their gradients over the memory's speed, each moved once, all
    that lies between them never.
    """
    forward = part["inputs"] + part["outputs"] + part["weights"]
    backward = 2 * part["inputs"] + part["outputs"] + 2 * part["weights"]
    return {
        "forward": _floor(part["flop"], forward, limits),
        "backward": _floor(2 * part["flop"], backward, limits),
    }


def _floor(flop, numbers, limits):
    return {"products": flop / limits["flops"], "traffic": BYTES * numbers / limits["bytes_a_second"]}
