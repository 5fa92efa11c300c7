"""Weights that hide no mistake, for checks at full size without a checkpoint."""

import numpy as np


def fill(model, seed=0, negative_scales=True):
    """Random weights that keep activations near 1: scales off one, means and offsets off zero.

    Args:
        model: whose weights are set.
        seed: of the values.
        negative_scales: whether half the norms' scales are below zero, as few of trained ones are.
    """
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        values = generator.standard_normal(weight.shape, dtype="float32")
        if weight.name == "moving_variance":
            values = 0.5 + generator.random(weight.shape)
        elif weight.name == "gamma":
            signs = generator.choice([-1.0, 1.0], weight.shape) if negative_scales else 1.0
            values = (1.0 + 0.3 * values) * signs
        elif weight.name in ("beta", "bias", "moving_mean"):
            values = 0.3 * values
        elif weight.name == "kernel":
            inputs = weight.shape[0] * weight.shape[1] if "depthwise" in weight.path else np.prod(weight.shape[:-1])
            values = values / np.sqrt(inputs)
        weight.assign(values)
