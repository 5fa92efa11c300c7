"""The pools that halve a map in front of a shortcut or a branch (CoAtNet, equations 4 and 5)."""

from keras import ops

from keras_coatnet.layers.fast import torch_forms
from keras_coatnet.layers.fast.forward import runs_natively

POOLS = ("max", "average", "max3x3")


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
    if runs_natively(x) and torch_forms.has_pool(x, kind, stride):
        return torch_forms.pool(x, kind, stride)
    return library_pool(x, kind, stride)


def library_pool(x, kind, stride):
    """The backend's own pool."""
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


def check_same_size(layer, input_shape, branch, shortcut):
    """Raise a ValueError unless both paths of a residual block give the same map of at least one pixel.

    Args:
        layer: the block, for its name.
        input_shape: of the block.
        branch, shortcut: (H, W) behind either path; None is open.
    """
    for known, other in zip(branch, shortcut, strict=True):
        if known is not None and other is not None and not known == other > 0:
            raise ValueError(
                f"{layer.name}: from a map of {input_shape[1]} x {input_shape[2]} pixels the branch gives "
                f"{branch[0]} x {branch[1]} and the shortcut {shortcut[0]} x {shortcut[1]}. Both must be equal and at "
                f"least 1 x 1: take a side that is a multiple of strides={layer.strides}, or another pool or padding."
            )
