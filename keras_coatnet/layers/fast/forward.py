"""How a block runs its sub-layers: as Keras layers, or straight to the arithmetic where PyTorch runs them one by one.

A call of a Keras layer costs PyTorch about 70 microseconds of Python before any arithmetic, on every call: a tenth of
the time of a single image. TensorFlow and JAX pay it once, when they trace.
"""

import contextlib

import keras

from keras_coatnet.layers.fast import jax_forms

_native = True


def forward(layer, x, *others, **arguments):
    """`layer(x, *others, **arguments)`, on PyTorch without the bookkeeping and in PyTorch's own form.

    Args:
        layer: a sub-layer of a block.
        x: what the block computes on; of a list, the first tells how.
    """
    if not may_skip_keras(layer, x[0] if isinstance(x, list) else x):
        return layer(x, *others, **arguments)
    from keras_coatnet.layers.fast.torch_forms import FORMS

    form = FORMS.get(type(layer), type(layer).call)
    return form(layer, x, *others, **arguments)


def may_skip_keras(layer, x):
    """Whether a call of a layer is nothing but its arithmetic: no casts, masks, quantization or activity losses."""
    if not runs_natively(x):
        return False
    import torch

    policy = layer.dtype_policy
    if isinstance(policy, keras.dtype_policies.DTypePolicyMap):
        policy = policy[layer.path] if layer.path else policy.default_policy
        if policy.variable_dtype != policy.compute_dtype:
            return False  # the block's own policy may be another one, and nothing would cast the weights
    return (
        layer.built
        # Quantized layers have a kind of their own.
        and type(policy) is keras.dtype_policies.DTypePolicy
        and x.dtype is getattr(torch, policy.compute_dtype)
        and layer.activity_regularizer is None
    )


def runs_natively(x):
    """Whether PyTorch's own operations may take a tensor: on that backend, unless plain forms are asked for."""
    if not _native or keras.backend.backend() != "torch":
        return False
    import torch

    return (
        isinstance(x, torch.Tensor)
        and not x.is_meta
        and getattr(x, "_keras_mask", None) is None
        and keras.distribution.distribution() is None
    )


def runs_by_xla_on_cpu():
    """Whether JAX runs a model on a CPU, unless plain forms are asked for, or devices share the work."""
    return (
        _native
        and keras.backend.backend() == "jax"
        and jax_forms.runs_on_cpu()
        and keras.distribution.distribution() is None
    )


@contextlib.contextmanager
def plain_forms():
    """Run every layer as Keras has it: for exporters that look for its graph, and to compare."""
    global _native
    before, _native = _native, False
    try:
        yield
    finally:
        _native = before
