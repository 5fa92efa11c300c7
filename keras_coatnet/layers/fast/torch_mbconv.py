"""MBConv on PyTorch outside training, where reading and writing the widest maps of the model is what costs.

Norms go into the kernels as it runs, the gates of squeeze and excitation into the rows of the projection, one matrix an
image; activations and sums overwrite maps that nothing else reads.
"""

import keras

from keras_coatnet.layers.depthwise import DepthwiseConv2D, convolve_depthwise
from keras_coatnet.layers.fast.forward import forward, may_skip_keras
from keras_coatnet.layers.fast.torch_folding import fold, folds, scale_and_shift
from keras_coatnet.layers.fast.torch_products import linear, overwrite, value_of
from keras_coatnet.layers.squeeze_excite import SqueezeExcite


def may_infer(block, x, training):
    """Whether `infer` gives what the `call` of an `MBConv` does."""
    if training or not may_skip_keras(block, x):
        return False
    import torch

    kinds = {
        block.expansion: keras.layers.Dense,
        block.depthwise: DepthwiseConv2D,
        block.projection: keras.layers.Dense,
    }
    if block.squeeze_excite is not None:
        kinds[block.squeeze_excite] = SqueezeExcite
    return (
        not torch.is_grad_enabled()
        and not block.activation_first
        and all(folds(norm) for norm in (block.prenorm, block.expansion_norm, block.depthwise_norm))
        and all(type(layer) is kind and may_skip_keras(layer, x) for layer, kind in kinds.items())
    )


def infer(block, x):
    """What `MBConv.call` gives outside training."""
    shortcut, y, norm = open_branch(block, x)
    y = linear(y, *fold(block.expansion, block.expansion_norm, norm), block.activation)
    squeeze, depthwise_norm = block.squeeze_excite, block.depthwise_norm
    if squeeze is None or block.squeeze_place == "after_norm":
        y = overwrite(block.activation, convolve(block.depthwise, y, depthwise_norm))
        return project(block.projection, y, squeeze).add_(shortcut)
    y = squeeze_and_normalize(squeeze, convolve(block.depthwise, y, None), depthwise_norm)
    return project(block.projection, overwrite(block.activation, y), None).add_(shortcut)


def open_branch(block, x):
    """(shortcut, what the expansion reads, the opening norm where the expansion still has to do it)."""
    read_once = block.shortcut is None or not block.prenorm_shortcut
    if read_once and block.prenorm_activation is keras.activations.linear and block.stride_in != "pool":
        y, norm = x, block.prenorm
    elif block.prenorm is None:
        y, norm = block.prenorm_activation(x), None
    else:
        y, norm = overwrite(block.prenorm_activation, forward(block.prenorm, x)), None
    return block.shortcut_of(x, y), block.stride_in_front(y), norm


def convolve(layer, x, norm):
    """The depthwise convolution and the norm behind it."""
    kernel, bias = fold(layer, norm)
    return convolve_depthwise(x, kernel, layer.strides, layer.dilation_rate, layer.padding, bias)


def squeeze_and_normalize(squeeze, x, norm):
    """Squeeze and excitation and the norm behind it, in one pass over the map, which is overwritten."""
    import torch

    scale, shift = squeeze.gate(x), value_of(squeeze.beta) if squeeze.affine else None
    if norm is not None:
        norm_scale, norm_shift = scale_and_shift(norm)
        scale, shift = scale * norm_scale, norm_shift if shift is None else shift * norm_scale + norm_shift
    scale = scale.to(x.dtype)
    return x.mul_(scale) if shift is None else torch.addcmul(shift.to(x.dtype), x, scale, out=x)


def project(layer, x, squeeze):
    """Squeeze and excitation and the 1x1 projection, with a kernel an image instead of a gated map."""
    import torch

    kernel, bias = value_of(layer.kernel), value_of(layer.bias)
    if squeeze is None:
        return linear(x, kernel, bias)
    if squeeze.affine:
        moved = value_of(squeeze.beta) @ kernel
        bias = moved if bias is None else bias + moved
    pixels = x.flatten(1, 2)  # (B, H * W, C)
    kernels = squeeze.gate(x).flatten(1).unsqueeze(2) * kernel  # (B, C, D)
    y = torch.bmm(pixels, kernels) if bias is None else torch.baddbmm(bias, pixels, kernels)
    return y.unflatten(1, x.shape[1:3])
