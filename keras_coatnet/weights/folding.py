"""Folding norms and factors into the linear maps beside them: arithmetic on the arrays of a model, in float64.

A step takes arrays by name (`stage1_block1/prenorm/gamma`) and leaves those of the same function with less to compute.
A family lists its steps; each one names the norm it removes, what is left in its place, and why anything is.
"""

import dataclasses

import numpy as np

from keras_coatnet.layers.relative_position import log_offsets, relative_position_index


@dataclasses.dataclass(frozen=True)
class FoldedNorm:
    """Base of the steps that take a norm away: y = scale * normal(x) + shift.

    Args:
        norm: path of the norm.
        kind: "batch" (whose standardization folds too) or "layer" (whose standardization stays).
        epsilon: of the norm.
        into: paths of the layers that take its numbers.
        reason: why something of the norm stays; empty where nothing does that could go.
    """

    norm: str
    kind: str
    epsilon: float
    into: tuple[str, ...] = ()
    reason: str = ""

    @property
    def left(self):
        """Kind of the norm that stays in its place."""
        return None if self.kind == "batch" else "standardize"

    def take_affine(self, arrays):
        """(scale, shift), taken out of the arrays."""
        gamma, beta = (arrays.pop(f"{self.norm}/{name}") for name in ("gamma", "beta"))
        if self.kind == "layer":
            return gamma, beta
        mean, variance = (arrays.pop(f"{self.norm}/{name}") for name in ("moving_mean", "moving_variance"))
        scale = gamma / np.sqrt(variance + self.epsilon)
        return scale, beta - mean * scale


class FoldBackward(FoldedNorm):
    """norm(conv(x)): a batch norm into the kernel's output channels and the bias of the layer before it."""

    def apply(self, arrays):
        scale, shift = self.take_affine(arrays)
        for layer in self.into:
            kernel = arrays[f"{layer}/kernel"]
            # A depthwise kernel keeps its output channels in two axes, (channels, multiplier).
            outputs = kernel.shape[-2:] if kernel.shape[-1] != scale.size else kernel.shape[-1:]
            arrays[f"{layer}/kernel"] = kernel * scale.reshape(outputs)
            arrays[f"{layer}/bias"] = arrays.get(f"{layer}/bias", 0.0) * scale + shift


class FoldForward(FoldedNorm):
    """dense(norm(x)): scale and shift into the kernel's input channels and the bias of the layers behind it."""

    def apply(self, arrays):
        scale, shift = self.take_affine(arrays)
        for layer in self.into:
            kernel = arrays[f"{layer}/kernel"]
            arrays[f"{layer}/bias"] = arrays.get(f"{layer}/bias", 0.0) + shift @ kernel
            arrays[f"{layer}/kernel"] = scale[:, None] * kernel


class FoldIntoGate(FoldedNorm):
    """norm(x * gate): a batch norm into the gate of squeeze and excitation, which scales, and an offset behind it."""

    def apply(self, arrays):
        scale, shift = self.take_affine(arrays)
        for layer in self.into:
            arrays[f"{layer}/gamma"], arrays[f"{layer}/beta"] = scale, shift


class KeepAffine(FoldedNorm):
    """A batch norm that no neighbour can take: one multiplication and one addition are left of it."""

    left = "affine"

    def apply(self, arrays):
        scale, shift = self.take_affine(arrays)
        arrays[f"{self.norm}/gamma"], arrays[f"{self.norm}/beta"] = scale, shift


class KeepLayerNorm(FoldedNorm):
    """A layer norm that no neighbour can take the scale and shift of."""

    left = "layer"

    def apply(self, arrays):
        """Nothing changes."""


@dataclasses.dataclass(frozen=True)
class FoldLayerScale:
    """scale * dense(x): the factors of a residual branch into its last layer."""

    scale: str
    into: str

    def apply(self, arrays):
        gamma = arrays.pop(f"{self.scale}/gamma")
        arrays[f"{self.into}/kernel"] = arrays[f"{self.into}/kernel"] * gamma
        if f"{self.into}/bias" in arrays:
            arrays[f"{self.into}/bias"] = arrays[f"{self.into}/bias"] * gamma


@dataclasses.dataclass(frozen=True)
class FoldQueryScale:
    """q / sqrt(d): into the columns of the queries, which stand first in each head's (q, k, v)."""

    qkv: str
    head_dim: int

    def apply(self, arrays):
        for name in (f"{self.qkv}/kernel", f"{self.qkv}/bias"):
            if name in arrays:
                heads = arrays[name].reshape(*arrays[name].shape[:-1], -1, 3, self.head_dim).copy()
                heads[..., 0, :] *= self.head_dim**-0.5
                arrays[name] = heads.reshape(arrays[name].shape)


@dataclasses.dataclass(frozen=True)
class EvaluatePositions:
    """The network over log offsets, run once for all offsets of a map: a table."""

    bias: str
    grid: tuple[int, int]

    def apply(self, arrays):
        def linear(name, x):
            return x @ arrays.pop(f"{self.bias}/{name}/kernel") + arrays.pop(f"{self.bias}/{name}/bias")

        hidden = np.maximum(linear("hidden", log_offsets(*self.grid).astype("float64")), 0.0)
        arrays[f"{self.bias}/relative_position_bias_table"] = linear("output_values", hidden)


@dataclasses.dataclass(frozen=True)
class SpreadPositions:
    """A table spread over all pairs of pixels: (heads, tokens, tokens)."""

    bias: str
    grid: tuple[int, int]

    def apply(self, arrays):
        table = arrays.pop(f"{self.bias}/relative_position_bias_table")
        arrays[f"{self.bias}/relative_position_bias"] = table[relative_position_index(*self.grid)].transpose(2, 0, 1)


def fold(arrays, steps):
    """Apply steps in order.

    Args:
        arrays: {name: array} of all weights of a model.
        steps: of a family, such as `FoldForward`.

    Returns: {name: float64 array} of the folded model.
    """
    folded = {name: np.asarray(array, "float64") for name, array in arrays.items()}
    for step in steps:
        step.apply(folded)
    return folded
