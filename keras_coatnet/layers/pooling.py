"""The pools that halve a map in front of a shortcut or a branch (CoAtNet, equations 4 and 5)."""

from keras import ops

KINDS = ("max", "average", "max3x3")


def pool(x, kind, stride):
    """Pool a channels-last map.

    Args:
        x: (B, H, W, C).
        kind: "max": window = stride, an odd last row or column forms a window of its own; "average": window = stride,
            an odd last row or column is dropped; "max3x3": 3x3 window centred on every stride-th pixel.
        stride: integer; 1 returns `x`.
    """
    if stride == 1:
        return x
    if kind == "average":
        return ops.average_pool(x, stride, stride, padding="valid", data_format="channels_last")
    if kind == "max":
        return ops.max_pool(x, stride, stride, padding="same", data_format="channels_last")
    x = ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=float("-inf"))
    return ops.max_pool(x, 3, stride, padding="valid", data_format="channels_last")


def pooled_size(size, kind, stride):
    """Side of the pooled map; None stays None."""
    if size is None or stride == 1:
        return size
    return size // stride if kind == "average" else -(-size // stride)


def check_pool(kind, argument):
    """Raise a ValueError unless `kind` is a pool."""
    if kind not in KINDS:
        raise ValueError(f"{argument} must be one of {', '.join(KINDS)}; got {kind!r}.")
