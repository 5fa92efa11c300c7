"""A model's layers one after the other on PyTorch, past what Keras does around each of them at every call.

A call of a layer with several inputs costs Keras up to half a millisecond there, and its graph keeps every map until
the last one is made.
"""

import weakref
from typing import NamedTuple

import keras

from keras_coatnet.layers.fast.forward import forward, runs_natively

_plans = weakref.WeakKeyDictionary()


class Step(NamedTuple):
    """An operation of a graph: its arguments with symbolic tensors in their places, those it gives, those it ends."""

    operation: object
    arguments: tuple
    keywords: dict
    outputs: tuple
    last_used: tuple


class Plan(NamedTuple):
    """A graph's operations in order, and one of its weights to tell the device."""

    steps: list
    weight: object


def answer_straight(model, images, training):
    """What a model's `call` gives, or None where Keras has to call its layers.

    Args:
        model: `FamilyModel`.
        images: its input.
        training: as in `call`.
    """
    # Another Keras may keep its graph elsewhere.
    if training or not runs_natively(images) or is_compiled() or not hasattr(model, "_nodes_by_depth"):
        return None
    plan = _plans.get(model)
    if plan is None:
        plan = _plans[model] = Plan(steps_of(model), model.variables[0])
    if not may_run_straight(model, images, plan.weight):
        return None
    values = {id(model.inputs[0]): images}
    for step in plan.steps:
        keywords = {name: fill_in(value, values) for name, value in step.keywords.items()}
        found = run(step.operation, *fill_in(step.arguments, values), **keywords)
        values.update(zip(step.outputs, flatten(found), strict=True))
        for tensor in step.last_used:
            del values[tensor]
    return values[id(model.output)]


def steps_of(model):
    """The operations of a model's graph in the order in which Keras runs them: a list of `Step`."""
    depths = sorted(model._nodes_by_depth, reverse=True)
    nodes = [node for depth in depths for node in model._nodes_by_depth[depth] if not node.is_input]
    steps, needed = [], {id(model.output)}
    for node in reversed(nodes):
        outputs = tuple(map(id, node.outputs))
        seen_last = {*map(id, node.input_tensors), *outputs} - needed
        needed |= seen_last
        # Keras notes the mask of a layer that knows masks even where there is none.
        given = node.arguments.kwargs.items()
        keywords = {name: value for name, value in given if name != "mask" or value is not None}
        steps.append(Step(node.operation, node.arguments.args, keywords, outputs, tuple(seen_last)))
    return steps[::-1]


def fill_in(arguments, values):
    """Arguments with the values of symbolic tensors."""
    if isinstance(arguments, keras.KerasTensor):
        return values[id(arguments)]
    if isinstance(arguments, list | tuple):
        return [fill_in(argument, values) for argument in arguments]
    return arguments


def flatten(found):
    """The tensors in what an operation gives."""
    return [tensor for each in found for tensor in flatten(each)] if isinstance(found, list | tuple) else [found]


def may_run_straight(model, images, weight):
    """Whether Keras would hand the images to the first layer as they are, and casts no weights."""
    import torch

    one_precision = model.compute_dtype == model.variable_dtype
    return (
        isinstance(model.input, keras.KerasTensor)
        and isinstance(model.output, keras.KerasTensor)
        and images.ndim == len(model.inputs[0].shape)
        and images.dtype is getattr(torch, model.inputs[0].dtype)
        and images.device == weight.value.device
        and one_precision
    )


def run(operation, x, *others, **keywords):
    """An operation of the graph as Keras would call it in inference."""
    is_layer = isinstance(operation, keras.layers.Layer)
    if not is_layer or is_watched(operation) or is_mixed(operation) or "mask" in keywords:
        return operation(x, *others, **keywords)
    if getattr(operation, "_call_has_training_arg", False):
        keywords["training"] = False
    return forward(operation, x, *others, **keywords)


def is_compiled():
    """Whether PyTorch traces what runs, which then costs nothing at a call."""
    import torch

    return torch.compiler.is_compiling()


def is_mixed(layer):
    """Whether Keras casts a layer's weights as it calls it."""
    return layer.compute_dtype != layer.variable_dtype


def is_watched(layer):
    """Whether hooks of PyTorch wait for a layer to be called."""
    return bool(layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks or layer._backward_pre_hooks)
