"""How far the answers of a file are from those of its model, as a share of the logits' spread."""

import dataclasses
import os

import keras
import numpy as np

TOLERANCES = {None: 1e-4, "float16": 2e-2}
# Below it, 32-bit logits differ by rounding alone.
SMALLEST_SPREAD = 1e-2
# Probabilities under it are taken for it; halves and integers have no smaller ones.
SMALLEST_PROBABILITY, SMALLEST_QUANTIZED_PROBABILITY = 1e-30, 1e-6


class DiffersTooMuch(ValueError):
    """A file's answers are not its model's; `difference` and `agreement` say by how much."""

    def __init__(self, message, difference, agreement):
        super().__init__(message)
        self.difference, self.agreement = difference, agreement


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two sets of answers.

    Args:
        difference: largest difference of two logits, as a share of the logits' spread.
        agreement: share of pictures with the same first class; None where the outputs are no classes.
        pictures: how many were compared.
    """

    difference: float
    agreement: float | None
    pictures: int

    def __str__(self):
        noun = "picture" if self.pictures == 1 else "pictures"
        what = "outputs" if self.agreement is None else "logits"
        text = f"{what} differ by {self.difference:.1e} of their spread on {self.pictures} {noun}"
        if self.agreement is not None:
            text += f", first class agrees on {self.agreement:.1%}"
        return text


@dataclasses.dataclass(frozen=True)
class ExportReport:
    """What `export` wrote and how it compares with its model.

    Args:
        path: of the file or folder.
        format: its name.
        size: in bytes.
        quantization: as asked for.
        fused: whether the norms were folded away.
        comparison: `Comparison` of the file, in its own runtime, with the model in float32.
    """

    path: str
    format: str
    size: int
    quantization: str | None
    fused: bool
    comparison: Comparison

    @property
    def difference(self):
        return self.comparison.difference

    @property
    def agreement(self):
        return self.comparison.agreement

    def __str__(self):
        kind = self.format if self.quantization is None else f"{self.format} {self.quantization}"
        unfused = "" if self.fused else ", not fused"
        return f"{self.path}: {kind}{unfused}, {self.size / 1e6:,.1f} MB, {self.comparison}"


def output_activation(model):
    """What a model ends in: "softmax", "sigmoid", "linear", or another activation's name; None if nothing says it."""
    layer = model.outputs[0]._keras_history.operation
    if isinstance(layer, keras.Model) and getattr(layer, "outputs", None):
        return output_activation(layer)
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    return getattr(getattr(layer, "activation", None), "__name__", None)


def compare(expected, found, activation, quantization=None):
    """Compares a file's outputs with its model's.

    Args:
        expected, found: outputs, (N, ...).
        activation: what they end in.
        quantization: of the file.

    Returns: `Comparison`; its difference is NaN where an output is NaN or infinite.
    Raises: DiffersTooMuch for outputs of another shape.
    """
    if expected.shape != found.shape:
        raise DiffersTooMuch(f"The file's outputs are {found.shape}, the model's {expected.shape}.", np.inf, 0.0)
    agreement = None
    if expected.ndim == 2 and expected.shape[1] > 1:
        agreement = float((expected.argmax(axis=1) == found.argmax(axis=1)).mean())
    if not np.isfinite(found).all():
        return Comparison(np.nan, agreement, len(expected))
    smallest = SMALLEST_QUANTIZED_PROBABILITY if quantization else SMALLEST_PROBABILITY
    logits, others = (as_logits(outputs, activation, smallest) for outputs in (expected, found))
    spread = max(float(logits.std()), SMALLEST_SPREAD)
    return Comparison(float(np.abs(logits - others).max()) / spread, agreement, len(expected))


def as_logits(outputs, activation, smallest):
    """What stood before the activation, up to a constant a picture, in 64-bit floats."""
    outputs = np.asarray(outputs, np.float64)
    if activation == "softmax":
        logarithms = np.log(np.maximum(outputs, smallest))
        return logarithms - logarithms.mean(axis=-1, keepdims=True)
    if activation == "sigmoid":
        # 32-bit floats just below 1 are 6e-8 apart, so a logit above 8 is known to no more than a share of itself.
        bounded = np.clip(outputs, max(smallest, 1e-6), 1 - 1e-6)
        return np.log(bounded) - np.log1p(-bounded)
    return outputs


def check(comparison, path, quantization, tolerance):
    """Raises DiffersTooMuch for NaN, or for a difference above the tolerance."""
    name = os.path.basename(path)
    if np.isnan(comparison.difference):
        raise DiffersTooMuch(f"{name} answers NaN or infinity; it is not kept.", *_figures(comparison))
    allowed = TOLERANCES.get(quantization, np.inf) if tolerance is None else tolerance
    if comparison.difference > allowed:
        raise DiffersTooMuch(
            f"{name} is not kept: {comparison}, above the tolerance of {allowed:.1e}; tolerance= sets another.",
            *_figures(comparison),
        )


def check_reference(outputs, name):
    """Raises ValueError for a model whose own answers are no numbers."""
    if not np.isfinite(outputs).all():
        raise ValueError(f"{name!r} answers NaN or infinity itself, in float32; there is nothing to export.")


def _figures(comparison):
    return comparison.difference, comparison.agreement
