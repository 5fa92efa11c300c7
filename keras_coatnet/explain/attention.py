"""What attention layers look at, one by one and from first to last."""

import fnmatch

import numpy as np

from keras_coatnet.explain.gradients import watched_run
from keras_coatnet.explain.taps import all_layers
from keras_coatnet.layers.attention_map import AttentionMap
from keras_coatnet.prediction.inputs import preprocess_input


def attention_maps(model, images, pattern="*"):
    """What each attention layer of a model looks at.

    Args:
        model: any with attention layers of this package.
        images: one picture or several, of all kinds that `preprocess_input` takes.
        pattern: of the layers' names, such as "stage4*".

    Returns: {"stage3_block1/attention": `AttentionMap` or `FactorizedAttentionMap`, ...} in the order of the layers, of
        NumPy arrays. Both say what is read `from_pixel(row, column)` and `overall()`: (N, heads, H, W).
    Raises:
        UnreadableImage: a file cannot be read.
        ValueError: no attention layer of that name, or an array that is no picture.
    """
    layers = [layer for layer in all_layers(model) if hasattr(layer, "attention_map")]
    chosen = [layer for layer in layers if fnmatch.fnmatchcase(layer.path, pattern)]
    if not chosen:
        known = ", ".join(sorted(layer.path for layer in layers)) or "none"
        raise ValueError(f"No attention layer of {model.name!r} matches {pattern!r}. Attention layers: {known}.")
    run = watched_run(model, chosen, lambda layer, *arguments, **keywords: layer.attention_map(*arguments, **keywords))
    return run(preprocess_input(images, model))


def attention_rollout(model, images, pattern="*", *, residual=0.5):
    """How much of each pixel reaches a model's last map through all its attention layers.

    Every layer passes on `residual` of what a pixel had and fills the rest by its attention, averaged over the heads;
    where a stage shrinks the map, pixels that fall together are averaged. Convolutions between are taken to leave
    everything where it is.

    Args:
        model: with layers whose attention is a map of pairs of pixels.
        images: one picture or several, of all kinds that `preprocess_input` takes.
        pattern: of the layers' names, such as "stage4*"; only these are followed.
        residual: share that the shortcuts are taken to have.

    Returns: float32 (N, H, W), at the size of the first of these layers; each adds up to 1.
    Raises: ValueError for layers without such maps, and what `attention_maps` raises.
    Source: Quantifying Attention Flow in Transformers, arXiv 2005.00928, section 3.
    """
    if not 0 <= residual < 1:
        raise ValueError(f"residual must be at least 0 and below 1; got {residual!r}.")
    found = attention_maps(model, images, pattern)
    others = [name for name, each in found.items() if not isinstance(each, AttentionMap)]
    if others:
        raise ValueError(
            f"Rollout needs attention from pixel to pixel; {others[0]} of {model.name!r} gives a "
            f"{type(found[others[0]]).__name__}. attention_maps shows what that looks at."
        )
    return roll_out([each.weights for each in found.values()], residual)


def roll_out(weights, residual):
    """`attention_rollout` of maps. Shapes: list of (N, heads, H, W, H, W) -> (N, H, W), the first sides"""
    first = sides = weights[0].shape[-2:]
    reached = np.eye(first[0] * first[1], dtype=np.float32)
    for each in weights:
        reached = shrink(sides, each.shape[-2:]) @ reached
        sides = each.shape[-2:]
        pixels = sides[0] * sides[1]
        # A bias behind the softmax makes shares that are negative, or do not add up to 1.
        shares = np.maximum(each.reshape(*each.shape[:2], pixels, pixels).mean(1), 0)
        shares /= np.maximum(shares.sum(-1, keepdims=True), np.finfo(np.float32).tiny)
        reached = residual * reached + (1 - residual) * shares @ reached
    return reached.mean(-2).reshape(-1, *first)


def shrink(sides, smaller):
    """Which pixels of a map fall together on a smaller one, each with its share: (h * w, H * W)."""
    rows, columns = (_shrink_axis(*lengths) for lengths in zip(sides, smaller, strict=True))
    return np.kron(rows, columns)


def _shrink_axis(length, shorter):
    """Shares (shorter, length) of windows as wide as their step; what fills no window at the end is left out."""
    step = max(1, round(length / shorter))
    falls_on = (np.arange(length) // step)[np.newaxis] == np.arange(shorter)[:, np.newaxis]
    return (falls_on / np.maximum(falls_on.sum(1, keepdims=True), 1)).astype(np.float32)
