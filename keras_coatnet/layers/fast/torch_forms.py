"""Keras' layers in PyTorch's own operations: on channels-last maps, without a copy, the same numbers.

`x.permute(0, 3, 1, 2)` of a (B, H, W, C) tensor is a channels-last image to PyTorch, whose convolutions, pools and
batch norms are fastest on just that.
"""

import keras

from keras_coatnet.layers.fast.torch_products import linear, precise, value_of

# An image's few channels make patches of short rows, and a convolution is as fast.
LEAST_PATCH_CHANNELS = 16


def dense(layer, x, training=None):
    """`keras.layers.Dense`."""
    return linear(x, layer.kernel, layer.bias, layer.activation)


def convolution(layer, x):
    """`keras.layers.Conv2D` without padding."""
    if layer.padding != "valid" or layer.data_format != "channels_last" or layer.groups != 1:
        return layer.call(x)
    if layer.kernel_size == layer.strides and layer.dilation_rate == (1, 1) and x.shape[-1] >= LEAST_PATCH_CHANNELS:
        return linear_of_patches(x, layer.kernel, layer.bias, layer.activation)
    y = convolve(x, layer.kernel, layer.bias, layer.strides, dilation_rate=layer.dilation_rate)
    return y if layer.activation is keras.activations.linear else layer.activation(y)


def linear_of_patches(x, kernel, bias, activation):
    """Convolution whose windows neither overlap nor leave gaps: a product, which reads the kernel as it is kept.

    Args:
        x: (B, H, W, C); rows and columns that do not fill a patch are dropped.
        kernel, bias: see `convolve`. activation: function.
    """
    kernel = value_of(kernel)
    height, width, channels, units = kernel.shape
    rows, columns = x.shape[1] // height, x.shape[2] // width
    x = x[:, : rows * height, : columns * width]
    patches = x.unflatten(2, (columns, width)).unflatten(1, (rows, height)).transpose(2, 3).flatten(3)
    return linear(patches, kernel.reshape(height * width * channels, units), bias, activation)


def convolve(x, kernel, bias=None, strides=1, pads=((0, 0), (0, 0)), dilation_rate=1):
    """Convolution of a padded map.

    Args:
        x: (B, H, W, C).
        kernel: (h, w, C, D), a variable or a tensor; so the bias (D,) or None.
        pads: zeros ((above, below), (left, right)).
    """
    return convolve_groups(x, value_of(kernel).permute(3, 2, 0, 1), value_of(bias), strides, pads, dilation_rate)


def convolve_depthwise(x, kernel, bias, strides, pads, dilation_rate):
    """Depthwise convolution of a padded map; kernel: (h, w, C, depth_multiplier), the rest as in `convolve`."""
    kernel = value_of(kernel).to(x.dtype)
    height, width, channels, multiplier = kernel.shape
    weight = kernel.permute(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)
    bias = None if bias is None else value_of(bias).to(x.dtype)
    return convolve_groups(x, weight, bias, strides, pads, dilation_rate, groups=channels)


def convolve_groups(x, weight, bias, strides, pads, dilation_rate, groups=1):
    """Convolution by PyTorch's weight (D, C / groups, h, w)."""
    import torch.nn.functional as F

    image = x.permute(0, 3, 1, 2)
    (top, bottom), (left, right) = pads
    if (top, left) != (bottom, right):
        image, top, left = F.pad(image, (left, right, top, bottom)), 0, 0
    return F.conv2d(image, weight, bias, strides, (top, left), dilation_rate, groups).permute(0, 2, 3, 1)


def batch_norm(layer, x, training=False):
    """`keras.layers.BatchNormalization` over the last axis."""
    import torch

    count = x.numel() // x.shape[-1]
    learns = bool(training and layer.trainable)
    if layer.axis not in (-1, x.ndim - 1) or layer.renorm or layer.synchronized or (learns and count == 1):
        return layer.call(x, training=training)
    gamma, beta, mean, variance = map(precise, (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance))
    if learns:
        # With a momentum of 1 they take the batch's statistics.
        mean, variance = torch.zeros_like(mean), torch.zeros_like(variance)
    image = x.movedim(-1, 1)
    y = torch.batch_norm(image, gamma, beta, mean, variance, learns, 1.0, layer.epsilon, torch.backends.cudnn.enabled)
    if learns:
        # PyTorch's moving variance is of count - 1, Keras' of count.
        move(layer.moving_mean, mean, layer.momentum)
        move(layer.moving_variance, variance * ((count - 1) / count), layer.momentum)
    return y.movedim(1, -1)


def move(variable, value, momentum):
    """A moving average one step on."""
    variable.assign(variable.value.detach() * momentum + value * (1.0 - momentum))


def layer_norm(layer, x):
    """`keras.layers.LayerNormalization` over the last axis, in float32 at least."""
    import torch.nn.functional as F

    if list(layer.axis) not in ([-1], [x.ndim - 1]) or layer.rms_scaling:
        return layer.call(x)
    y = F.layer_norm(precise(x), x.shape[-1:], precise(layer.gamma), precise(layer.beta), layer.epsilon)
    return y.to(x.dtype)


FORMS = {
    keras.layers.Dense: dense,
    keras.layers.Conv2D: convolution,
    keras.layers.BatchNormalization: batch_norm,
    keras.layers.LayerNormalization: layer_norm,
}


def attend(q, k, v, bias=None, scale=1.0):
    """softmax(scale q k^T + bias) v without keeping the maps: (B, heads, N, d) each; bias (heads, N, N)."""
    import torch.nn.functional as F

    mask = None if bias is None else bias.unsqueeze(0)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)


def take_rows(values, index):
    """Rows of a table by a NumPy array of numbers."""
    import torch

    return values.index_select(0, torch.from_numpy(index).to(values.device))


def has_pool(x, kind, stride):
    """Whether `pool` can: "max" with a last window of its own is PyTorch's rounding up for a stride of 2 alone."""
    return kind != "max" or stride == 2 or all(side % stride == 0 for side in x.shape[1:3])


def pool(x, kind, stride):
    """See `pooling.pool`."""
    import torch.nn.functional as F

    image = x.permute(0, 3, 1, 2)
    if kind == "average":
        y = F.avg_pool2d(image, stride)
    elif kind == "max":
        y = F.max_pool2d(image, stride, ceil_mode=True)
    else:
        y = F.max_pool2d(image, 3, stride, padding=1)
    return y.permute(0, 2, 3, 1)
