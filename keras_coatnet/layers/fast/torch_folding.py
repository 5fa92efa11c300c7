"""Norms inside the kernels in front of them, for PyTorch outside training: one pass less over a map each.

`deploy.fuse` does the same to a model's weights once; here it is done as a layer runs, and its weights stay.
"""

import keras

from keras_coatnet.layers.affine import Affine
from keras_coatnet.layers.fast.forward import may_skip_keras
from keras_coatnet.layers.fast.torch_products import value_of


def folds(norm):
    """Whether a norm is a scale and an offset a channel."""
    if type(norm) is keras.layers.BatchNormalization:
        return norm.axis in (-1, 3) and not norm.renorm
    return norm is None or type(norm) is Affine


def may_fold(convolution, norm, x, training):
    """Whether a norm may go into the convolution in front of it: outside training, and where no gradient is asked."""
    if training or not folds(norm) or not may_skip_keras(convolution, x):
        return False
    import torch

    return not torch.is_grad_enabled()


def scale_and_shift(norm):
    """What a batch norm outside training, or an affine map, does to a channel: (C,) each."""
    gamma, beta = value_of(norm.gamma), value_of(norm.beta)
    if type(norm) is Affine:
        return gamma, beta
    scale = (value_of(norm.moving_variance) + norm.epsilon).rsqrt()
    scale = scale if gamma is None else scale * gamma
    shift = -value_of(norm.moving_mean) * scale
    return scale, shift if beta is None else shift + beta


def fold(convolution, norm, norm_in_front=None):
    """A convolution's (kernel, bias) with a norm behind it, and one in front of it where it is 1x1.

    Args:
        convolution: Dense, Conv2D or DepthwiseConv2D.
        norm, norm_in_front: see `folds`.

    Returns: both in the dtype that the convolution computes in; the bias None where there is none.
    """
    kernel, bias = value_of(convolution.kernel), value_of(convolution.bias)
    dtype = kernel.dtype
    if norm_in_front is not None:
        scale, shift = scale_and_shift(norm_in_front)
        moved = shift @ kernel.to(shift.dtype)
        kernel, bias = scale[:, None] * kernel, moved if bias is None else moved + bias
    if norm is not None:
        scale, shift = scale_and_shift(norm)
        depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
        kernel = kernel * (scale.reshape(kernel.shape[2:]) if depthwise else scale)
        bias = shift if bias is None else bias * scale + shift
    return kernel.to(dtype), None if bias is None else bias.to(dtype)
