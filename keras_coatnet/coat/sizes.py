"""Sides of the maps of each scale, and the sides an image may have."""

import math

from keras_coatnet.families.check import check_sides_given

SMALLEST_SIDE = 32


def map_sizes(spec, sides):
    """[(H, W) of each scale] for an input of `sides`; open sides stay None."""
    sizes = []
    for patch_size in spec.patch_sizes:
        sides = tuple(None if side is None else side // patch_size for side in sides)
        sizes.append(sides)
    return sizes


def check_input_sides(spec, sides):
    """Raise a ValueError for sides (None is open) that leave the last map without a pixel."""
    check_sides_given(spec, sides, max(SMALLEST_SIDE, math.prod(spec.patch_sizes)))
