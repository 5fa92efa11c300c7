"""How one tensor of a checkpoint becomes one of ours, and back."""

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True)
class Transform:
    """Two directions of one rearrangement; `to_ours` raises a ValueError for an array it cannot rearrange."""

    to_ours: Callable
    to_theirs: Callable


def _transpose(rank, forward, backward):
    def checked(axes):
        def rearrange(array):
            if array.ndim != rank:
                raise ValueError(f"expected {rank} axes")
            return array.transpose(axes)

        return rearrange

    return Transform(checked(forward), checked(backward))


def _squeeze_torch_pointwise(array):
    """(out, in, 1, 1) or (out, in) -> (in, out)."""
    if array.ndim == 4 and array.shape[2:] == (1, 1):
        array = array[:, :, 0, 0]
    if array.ndim != 2:
        raise ValueError("expected a 1x1 convolution")
    return array.T


def _squeeze_keras_pointwise(array):
    """(1, 1, in, out) or (in, out) -> (in, out)."""
    if array.ndim == 4 and array.shape[:2] == (1, 1):
        array = array[0, 0]
    if array.ndim != 2:
        raise ValueError("expected a 1x1 convolution")
    return array


def _depthwise_from_torch(array):
    """(channels * multiplier, 1, h, w) -> (h, w, 1, channels * multiplier)."""
    if array.ndim != 4 or array.shape[1] != 1:
        raise ValueError("expected a depthwise convolution")
    return array.transpose(2, 3, 0, 1)


def torch_depthwise(multiplier):
    """PyTorch's depthwise kernel: output channel c * multiplier + m reads input channel c."""

    def to_ours(array):
        kernel = _depthwise_from_torch(array)
        return kernel.reshape(*kernel.shape[:2], -1, multiplier)

    def to_theirs(array):
        return array.reshape(*array.shape[:2], -1).transpose(2, 0, 1)[:, None]

    return Transform(to_ours, to_theirs)


def qkv_by_kind(num_heads, head_dim):
    """A fused kernel (1, 1, in, 3 heads dim) with columns [q | k | v][head][dim]; ours are [head][q | k | v][dim]."""

    def reorder(array, order):
        shape = array.shape
        if shape[-1] != 3 * num_heads * head_dim:
            raise ValueError(f"expected 3 * {num_heads} * {head_dim} columns")
        parts = {"kind": (3, num_heads), "head": (num_heads, 3)}[order]
        return array.reshape(*shape[:-1], *parts, head_dim).swapaxes(-3, -2).reshape(shape)

    return Transform(
        lambda array: reorder(_squeeze_keras_pointwise(array), "kind"),
        lambda array: reorder(array, "head")[None, None],
    )


SAME = Transform(np.asarray, np.asarray)
TORCH_CONVOLUTION = _transpose(4, (2, 3, 1, 0), (3, 2, 0, 1))
TORCH_POINTWISE = Transform(_squeeze_torch_pointwise, lambda array: array.T[:, :, None, None])
TORCH_DENSE = Transform(_squeeze_torch_pointwise, lambda array: array.T)
KERAS_POINTWISE = Transform(_squeeze_keras_pointwise, lambda array: array[None, None])
# A table that has its heads first.
HEADS_FIRST_TABLE = _transpose(2, (1, 0), (1, 0))
