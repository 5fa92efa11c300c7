"""Tokens of a map and what factorised attention does to them, in PyTorch's own operations."""

from keras_coatnet.layers.fast.torch_forms import convolve_groups
from keras_coatnet.layers.fast.torch_products import is_transformed


def join(class_token, image_map):
    """See `serial_block.join`."""
    import torch

    return torch.cat((class_token, image_map.flatten(1, 2)), 1)


def split(tokens, image_map):
    """See `serial_block.split`."""
    return tokens[:, 1:].unflatten(1, image_map.shape[1:3]), tokens[:, :1]


def resize(image_map, target):
    """See `parallel_block.resize`."""
    import torch.nn.functional as F

    image = image_map.permute(0, 3, 1, 2)
    resized = F.interpolate(image, tuple(target.shape[1:3]), mode="bilinear", align_corners=False)
    return resized.permute(0, 2, 3, 1)


def mix(q, k, v, windows, sides, num_heads):
    """q (softmax(k)^T v) / sqrt(d), and + q * DWConv(v) for the tokens of a map: (B, N, C).

    Args:
        q, k, v: (B, N, C).
        windows, sides: see `FactorizedAttention`; no windows for no positions.
    """
    y = attend(q, k, v, num_heads)
    return add_positions(y, q, v, windows, sides) if windows else y


def attend(q, k, v, num_heads):
    """q (softmax(k)^T v) / sqrt(d): (B, N, C)."""
    q, k, v = (x.unflatten(2, (num_heads, -1)).transpose(1, 2) for x in (q, k.softmax(1), v))  # (B, heads, N, d)
    context = k.transpose(2, 3) @ v * q.shape[-1] ** -0.5  # (B, heads, d, d)
    return (q @ context).transpose(1, 2).flatten(2)


def add_positions(y, q, v, windows, sides):
    """y + q * DWConv(v) at the last tokens, those of the map; `y` may be overwritten."""
    import torch

    height, width = sides
    first = q.shape[1] - height * width
    values = convolve_values(v[:, first:].unflatten(1, (height, width)), windows).flatten(1, 2)
    q = q[:, first:]
    if torch.is_grad_enabled() or is_transformed():
        return torch.cat((y[:, :first], torch.addcmul(y[:, first:], q, values)), 1)
    y[:, first:].addcmul_(q, values)
    return y


def convolve_values(values, windows):
    """See `conv_position.convolve_values`."""
    import torch

    groups = values.split([bias.shape[0] for bias in windows[1::2]], -1)
    found = []
    for group, kernel, bias in zip(groups, windows[::2], windows[1::2], strict=True):
        side, _, channels, _ = kernel.shape
        pads = (side // 2,) * 2
        found.append(convolve_groups(group, kernel.permute(2, 3, 0, 1), bias, 1, (pads, pads), 1, channels))
    return torch.cat(found, -1)
