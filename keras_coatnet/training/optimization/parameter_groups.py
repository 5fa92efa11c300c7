"""Which of a model's variables decay, which learn slower, and which not at all."""

import bisect
import re

import keras

STAGE = re.compile(r"(stem|stage\d+|parallel)(_|$)")
BLOCK = re.compile(r"stem|(stage\d+|parallel)_block\d+")


def decays(variable):
    """Whether weight decay pulls at a variable: kernels only.

    Norms, biases, layer scales and tables of relative positions are left alone; decaying the tables cost
    keras_cv_attention_models 0.3 points of top-1.
    """
    return "kernel" in variable.name


def layers_with_weights(model):
    """A model's own layers in the order of the forward pass, those of models inside it in their places."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers_with_weights(layer)
        elif layer.weights:
            yield layer


def stage_of(layer):
    """ "stem", "stage1" and so on, "parallel" for blocks behind them; None for what stands outside all stages."""
    match = STAGE.match(layer.name)
    return match and match.group(1)


def learning_rate_multipliers(model, layer_decay):
    """How much slower than the head each variable learns: `layer_decay` once for every layer between the two.

    A layer is the stem or a block, with what stands right before it: patch embedding, class token and the encodings
    that a stage shares go with its first block. What stands behind the last block is one layer, the head, as in BEiT,
    arXiv 2106.08254. In a model without such names each layer with weights is one.

    Returns: dictionary from variables' paths to factors from 0 to 1.
    """
    depths = _depths(list(layers_with_weights(model)))
    deepest = max(depth for _, depth in depths)
    return {
        variable.path: layer_decay ** (deepest - depth)
        for layer, depth in depths
        for variable in layer.trainable_variables
    }


def _depths(layers):
    """(layer, how many blocks stand before it)."""
    blocks = [index for index, layer in enumerate(layers) if BLOCK.fullmatch(layer.name)] or range(len(layers))
    return [(layer, bisect.bisect_left(blocks, index)) for index, layer in enumerate(layers)]


def freeze_stages(model, count):
    """Stops the first parts from learning; their batch norms keep their statistics too.

    Args:
        model: of this package, or a model around one.
        count: 0 freezes nothing, 1 the first part (the stem, or stage 1 where there is none), and so on; parallel
            blocks are the last.

    Returns: the names of the frozen layers.
    Raises: ValueError where the model has fewer parts. Compile the model afterwards, not before.
    """
    layers = [layer for layer in layers_with_weights(model) if stage_of(layer)]
    parts = list(dict.fromkeys(stage_of(layer) for layer in layers))
    if not 0 <= count <= len(parts):
        raise ValueError(f"frozen_stages must be from 0 to {len(parts)} ({', '.join(parts)}); got {count!r}.")
    frozen = [layer for layer in layers if stage_of(layer) in parts[:count]]
    for layer in frozen:
        layer.trainable = False
    return [layer.name for layer in frozen]
