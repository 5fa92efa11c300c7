"""Sides of the maps behind stem and blocks, and the sides an image may have."""

import math

from keras_coatnet.coatnet.plan import plan_blocks
from keras_coatnet.coatnet.spec import stem_kernel_sizes
from keras_coatnet.families.check import check_sides_given
from keras_coatnet.layers.depthwise import convolved_size
from keras_coatnet.layers.pooling import pooled_size

SMALLEST_SIDE = 32


def stem_sizes(spec, sides):
    """(H, W) behind each convolution of the stem; open sides stay None."""
    sizes = []
    for kernel_size, stride in zip(stem_kernel_sizes(spec), spec.stem_strides, strict=True):
        sides = tuple(convolved_size(side, spec.padding, kernel_size, stride) for side in sides)
        sizes.append(sides)
    return sizes


def block_size(spec, block, sides):
    """(H, W) behind a block, as its shortcut has it."""
    kind = spec.transformer_pool if block.kind == "transformer" else spec.convolution_pool
    return tuple(pooled_size(side, kind, block.strides) for side in sides)


def branch_size(spec, block, sides):
    """(H, W) behind the branch of a block, to be added to its shortcut."""
    if block.kind == "transformer":
        return tuple(pooled_size(side, spec.transformer_pool, block.strides) for side in sides)
    if block.kind == "mbconv" and spec.stride_in != "depthwise":
        # An expansion that skips pixels leaves as many as the "max" pool.
        kind = spec.branch_pool if spec.stride_in == "pool" else "max"
        sides, stride = tuple(pooled_size(side, kind, block.strides) for side in sides), 1
    else:
        stride = block.strides
    return tuple(convolved_size(side, spec.padding, spec.kernel_size, stride) for side in sides)


def map_sizes(spec, sides):
    """{"stem": (H, W), "stage1_block1": (H, W), ...} for an input of `sides`."""
    sides = stem_sizes(spec, sides)[-1]
    sizes = {"stem": sides}
    for block in plan_blocks(spec):
        sizes[block.name] = sides = block_size(spec, block, sides)
    return sizes


def total_stride(spec):
    """Input pixels to one pixel of the last map."""
    return math.prod((*spec.stem_strides, *spec.strides))


def check_input_sides(spec, sides):
    """Raise a ValueError for sides (None is open) that the architecture cannot take, naming the nearest it can."""
    given, shown = check_sides_given(spec, sides, SMALLEST_SIDE)
    blocks = plan_blocks(spec)
    for side in given:
        if side % spec.size_multiple:
            rule = f"whose sides are multiples of {spec.size_multiple}"
        elif not branches_meet(spec, blocks, side):
            rule = "that its pools halve as its convolutions do"
        else:
            continue
        raise ValueError(f"{spec.name} takes images {rule}; got {shown}. {nearest_sides(spec, blocks, side)}")


def branches_meet(spec, blocks, side):
    """Whether shortcut and branch agree in every block: some pools drop a remainder that convolutions keep."""
    sides = stem_sizes(spec, (side,))[-1]
    for block in blocks:
        after = block_size(spec, block, sides)
        if after != branch_size(spec, block, sides) or 0 in after:
            return False
        sides = after
    return True


def nearest_sides(spec, blocks, side):
    """A sentence with the next smaller and the next larger side that can be taken."""
    reach = 2 * max(total_stride(spec), spec.size_multiple)
    found = []
    for candidates in (range(side - 1, max(SMALLEST_SIDE, side - reach) - 1, -1), range(side + 1, side + reach + 1)):
        fitting = (c for c in candidates if c % spec.size_multiple == 0 and branches_meet(spec, blocks, c))
        found += [str(candidate) for candidate in (next(fitting, None),) if candidate]
    return f"Nearest to {side}: {' or '.join(found)}." if found else ""
