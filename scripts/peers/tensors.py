"""Random tensors for a peer's model: every one moves the output, so none can be wrong or forgotten unnoticed."""

import hashlib

import numpy as np


def generator_for(*parts):
    """A NumPy generator that depends on the parts alone: the same numbers on every machine."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def draw(generator, kind, shape, fan_in=1, gain=1.0):
    """Random values for one tensor, on a grid so coarse that they compress to a quarter.

    Args:
        generator: of NumPy.
        kind: "kernel", "bias", "norm_scale", "mean", "variance", "layer_scale", "table" or "counter".
        shape: of the tensor.
        fan_in: inputs of one output; kernels are scaled so that maps stay near 1.
        gain: factor on kernels.

    Returns: float32 array; int64 for "counter".
    """
    if kind == "counter":
        return np.array(generator.integers(1000, 2000), "int64")
    if kind == "norm_scale":
        return _on_grid(generator.uniform(0.6, 1.6, shape), 1 / 32)
    if kind == "variance":
        return _on_grid(generator.uniform(0.5, 2.0, shape), 1 / 32)
    if kind == "layer_scale":
        return _on_grid(generator.uniform(0.3, 1.2, shape) * generator.choice([-1, 1], shape), 1 / 32)
    spread = {"bias": 0.2, "mean": 0.3, "table": 1.0, "kernel": gain / np.sqrt(fan_in)}[kind]
    step = 2.0 ** np.floor(np.log2(spread / 8))
    return _on_grid(generator.standard_normal(shape) * spread, step)


def draw_images(name, sides):
    """Smooth noise between -1 and 1, for maps of a few pixels: float32 (1, H, W, 3)."""
    pixels = generator_for("images", name).integers(0, 128, (1, *sides, 3))
    smooth = (pixels + np.roll(pixels, 1, 1) + np.roll(pixels, 1, 2) + np.roll(pixels, (1, 1), (1, 2))) // 4
    return (smooth / 64 - 1).astype("float32")


def draw_scene(name, sides):
    """An image of random patches of many sizes: parts of it differ, so positions matter even at full size.

    Returns: float32 (1, H, W, 3), about as spread as a normalised photograph.
    """
    generator = generator_for("scene", name)
    image = np.zeros((*sides, 3))
    for patch in (112, 56, 28, 8, 1):
        rows, columns = (-(-side // patch) for side in sides)
        coarse = generator.standard_normal((rows, columns, 3))
        image += coarse.repeat(patch, 0).repeat(patch, 1)[: sides[0], : sides[1]]
    return (image[None] / np.std(image)).astype("float32")


def _on_grid(values, step):
    return (np.round(np.asarray(values) / step) * step).astype("float32")
