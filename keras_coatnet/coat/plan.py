"""A spec resolved into one row a scale: what the builder builds, `count` counts and the name tables name."""

import dataclasses

from keras_coatnet.coat.check import check_spec

# Scales that parallel blocks join, and whose class tokens the head of a CoaT reads.
PARALLEL_SCALES = (2, 3, 4)


@dataclasses.dataclass(frozen=True)
class ScalePlan:
    """One scale. Its layers are named `prefix` and a noun: stage1_patch_embedding."""

    number: int  # from 1
    width: int
    patch_size: int
    depth: int
    expansion: float
    hidden_width: int

    @property
    def prefix(self):
        return f"stage{self.number}"

    @property
    def blocks(self):
        """Names of the serial blocks."""
        return tuple(f"{self.prefix}_block{number}" for number in range(1, self.depth + 1))


def plan_scales(spec):
    """All scales of a spec in order.

    Returns: tuple of `ScalePlan`.
    Raises: ValueError where the spec says something impossible.
    """
    check_spec(spec)
    rows = zip(spec.embed_dims, spec.patch_sizes, spec.serial_depths, spec.mlp_ratios, strict=True)
    return tuple(
        ScalePlan(number, width, patch_size, depth, ratio, int(width * ratio))
        for number, (width, patch_size, depth, ratio) in enumerate(rows, start=1)
    )


def parallel_blocks(spec):
    """Names of the parallel blocks."""
    return tuple(f"parallel_block{number}" for number in range(1, spec.parallel_depth + 1))


def head_scales(spec):
    """Scales whose class tokens the head reads."""
    return PARALLEL_SCALES if spec.parallel_depth else (4,)


def head_norm_name(scale):
    return f"head_norm{scale}"
