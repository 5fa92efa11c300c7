"""Products of a map and a matrix on PyTorch, through oneDNN where that is faster.

PyTorch keeps oneDNN for convolutions and gives products of matrices to MKL. On CPUs that Intel did not make oneDNN
takes a quarter less time for them, and it applies an activation while the product is in its cache.
"""

import functools

import keras

from keras_coatnet.layers.activation import gelu

ONEDNN_NAMES = {
    keras.activations.linear: "none",
    keras.activations.relu: "relu",
    keras.activations.silu: "swish",
    gelu: "gelu",
}


def linear(x, kernel, bias=None, activation=keras.activations.linear):
    """activation(x kernel + bias), in one where no gradient is asked.

    Args:
        x: (..., C).
        kernel: (C, D), a variable or a tensor; so the bias (D,) or None.
        activation: function.
    """
    import torch
    import torch.nn.functional as F

    kernel, bias = value_of(kernel), value_of(bias)
    if not onednn_multiplies(x, kernel):
        return overwrite(activation, F.linear(x, kernel.t(), bias))
    if torch.is_grad_enabled():
        return activation(product_with_gradients()(x, kernel, bias))
    if activation in ONEDNN_NAMES:
        return multiply(x, kernel.t(), bias, ONEDNN_NAMES[activation])
    return activation(multiply(x, kernel.t(), bias))


def multiply(x, weight, bias=None, activation="none"):
    """activation(x weight^T + bias) by oneDNN, which records no gradients."""
    import torch

    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], "none")


def onednn_multiplies(x, kernel):
    """Whether oneDNN takes a product: of plain float32 tensors on the CPU, as they run.

    What PyTorch compiles, exports or transforms it decides on by itself.
    """
    import torch

    return (
        type(x) is torch.Tensor
        and x.dtype is torch.float32
        and x.device.type == "cpu"
        and x.is_contiguous()
        and kernel.is_contiguous()
        and x.numel() > 0
        and has_onednn()
        and not torch.compiler.is_compiling()
        and not torch.is_autocast_enabled("cpu")
        and not is_transformed()
    )


def is_transformed():
    """Whether `torch.func` transforms what runs: operations without a forward gradient have to be left out."""
    import torch

    active = getattr(torch._C, "_are_functorch_transforms_active", None)
    return active is not None and not torch.compiler.is_compiling() and active()


def has_onednn():
    """Whether this PyTorch has oneDNN's product with an activation, and it is not switched off."""
    import torch

    return torch.backends.mkldnn.enabled and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@functools.cache
def product_with_gradients():
    """A function (x, kernel, bias) -> x kernel + bias with gradients, of whose three products oneDNN takes two."""
    import torch
    import torch.nn.functional as F

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, kernel, bias):
            ctx.save_for_backward(x, kernel)
            ctx.has_bias = bias is not None
            return multiply(x, kernel.t(), bias)

        @staticmethod
        def backward(ctx, gradient):
            x, kernel = ctx.saved_tensors
            rows = gradient.flatten(0, -2)
            # Gradients of gradients are PyTorch's.
            times = F.linear if torch.is_grad_enabled() else multiply
            of_x = times(gradient.contiguous(), kernel) if ctx.needs_input_grad[0] else None
            of_kernel = x.flatten(0, -2).t() @ rows if ctx.needs_input_grad[1] else None
            of_bias = rows.sum(0) if ctx.has_bias and ctx.needs_input_grad[2] else None
            return of_x, of_kernel, of_bias

    return Product.apply


def overwrite(activation, y):
    """`activation(y)`, in the memory of `y` where no gradient is asked; nothing else may read `y`."""
    import torch
    import torch.nn.functional as F

    if not torch.is_grad_enabled() and activation in (keras.activations.silu, keras.activations.relu):
        return (F.silu if activation is keras.activations.silu else F.relu)(y, inplace=True)
    return activation(y)


def value_of(variable):
    """The tensor of a Keras variable; of a tensor or None, itself."""
    return getattr(variable, "value", variable)


def precise(variable):
    """`value_of` in float32 or float64."""
    value = value_of(variable)
    return value if value is None or value.itemsize > 2 else value.float()
