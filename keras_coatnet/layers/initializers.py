"""Initial values drawn by NumPy, so that no backend compiles a program per weight shape (JAX: seconds of start-up)."""

import math
import random
from contextlib import contextmanager

import keras
import numpy as np

_skip_drawing = False


@contextmanager
def without_initial_values():
    """Inside this block variables start as zeros: what a model needs whose checkpoint is loaded next."""
    global _skip_drawing
    previous, _skip_drawing = _skip_drawing, True
    try:
        yield
    finally:
        _skip_drawing = previous


class NumPyInitializer(keras.initializers.Initializer):
    """Base of our initialisers.

    Args:
        seed: integer, or None for values that follow `keras.utils.set_random_seed` and differ at every call.
    """

    def __init__(self, seed=None):
        self.seed = seed

    def draw(self, generator, shape):
        raise NotImplementedError

    def __call__(self, shape, dtype=None, **kwargs):
        dtype = keras.backend.standardize_dtype(dtype or keras.config.floatx())
        if _skip_drawing:
            return np.zeros(shape, dtype)
        # Python's generator is the one that keras.utils.set_random_seed seeds for Keras' own initialisers.
        seed = self.seed if self.seed is not None else random.randint(1, 2**31 - 1)
        return np.asarray(self.draw(np.random.default_rng(seed), tuple(shape))).astype(dtype, copy=False)

    def get_config(self):
        return {"seed": self.seed}


def fans(shape):
    """(fan_in, fan_out) of a kernel (..., in, out)."""
    receptive_field = math.prod(shape[:-2])
    return receptive_field * shape[-2], receptive_field * shape[-1]


@keras.saving.register_keras_serializable(package="keras_coatnet")
class Constant(NumPyInitializer):
    """The same `value` everywhere: norm scales and offsets, moving statistics, layer scale.

    Args:
        value: number.
    """

    def __init__(self, value=0.0):
        super().__init__()
        self.value = value

    def __call__(self, shape, dtype=None, **kwargs):
        return np.full(shape, self.value, keras.backend.standardize_dtype(dtype or keras.config.floatx()))

    def get_config(self):
        return {"value": self.value}


@keras.saving.register_keras_serializable(package="keras_coatnet")
class Normal(NumPyInitializer):
    """Normal distribution around zero.

    Args:
        stddev: standard deviation.
        cut: values beyond +-cut (absolute) are drawn again; None leaves the tails.
        seed: integer or None.
    """

    def __init__(self, stddev=0.02, cut=None, seed=None):
        super().__init__(seed)
        self.stddev = stddev
        self.cut = cut

    def draw(self, generator, shape):
        values = generator.standard_normal(shape, dtype="float32") * np.float32(self.stddev)
        while self.cut is not None and (outside := np.abs(values) > self.cut).any():
            values[outside] = generator.standard_normal(int(outside.sum()), dtype="float32") * np.float32(self.stddev)
        return values

    def get_config(self):
        return {"stddev": self.stddev, "cut": self.cut, "seed": self.seed}


@keras.saving.register_keras_serializable(package="keras_coatnet")
class UniformFanIn(NumPyInitializer):
    """Uniform in +-1 / sqrt(fan_in), PyTorch's default for convolutions and linear layers.

    Args:
        fan_in: the number of inputs of one output; None reads it off a kernel (..., in, out). A depthwise kernel, whose
            outputs read one channel each, and a bias have to be told.
        seed: integer or None.
    """

    def __init__(self, fan_in=None, seed=None):
        super().__init__(seed)
        self.fan_in = fan_in

    def draw(self, generator, shape):
        limit = 1.0 / math.sqrt(self.fan_in or fans(shape)[0])
        return (generator.random(shape, dtype="float32") * 2 - 1) * np.float32(limit)

    def get_config(self):
        return {"fan_in": self.fan_in, "seed": self.seed}


@keras.saving.register_keras_serializable(package="keras_coatnet")
class GlorotUniform(NumPyInitializer):
    """Uniform in +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010), Keras' default."""

    def draw(self, generator, shape):
        limit = math.sqrt(6.0 / sum(fans(shape)))
        return (generator.random(shape, dtype="float32") * 2 - 1) * np.float32(limit)


@keras.saving.register_keras_serializable(package="keras_coatnet")
class NormalFanOut(NumPyInitializer):
    """Normal with standard deviation sqrt(2 / fan_out), as EfficientNets start.

    Args:
        fan_out: the number of outputs one input reaches; None reads it off a kernel (..., in, out).
        seed: integer or None.
    """

    def __init__(self, fan_out=None, seed=None):
        super().__init__(seed)
        self.fan_out = fan_out

    def draw(self, generator, shape):
        stddev = math.sqrt(2.0 / (self.fan_out or fans(shape)[1]))
        return generator.standard_normal(shape, dtype="float32") * np.float32(stddev)

    def get_config(self):
        return {"fan_out": self.fan_out, "seed": self.seed}


def get_initializer(initializer):
    """An initialiser of one's own for one variable; None means ours of Keras' default, Glorot uniform.

    A copy, since Keras' random initialisers give the same values each time they are called.
    """
    if initializer is None:
        return GlorotUniform()
    initializer = keras.initializers.get(initializer)
    if isinstance(initializer, keras.initializers.Initializer):
        return initializer.__class__.from_config(initializer.get_config())
    return initializer


def get_depthwise_initializer(initializer, kernel_size, depth_multiplier):
    """`get_initializer` for a depthwise kernel (h, w, channels, multiplier), whose outputs read one channel each."""
    initializer = get_initializer(initializer)
    window = math.prod(kernel_size)
    if isinstance(initializer, UniformFanIn) and initializer.fan_in is None:
        return UniformFanIn(fan_in=window, seed=initializer.seed)
    if isinstance(initializer, NormalFanOut) and initializer.fan_out is None:
        return NormalFanOut(fan_out=window * depth_multiplier, seed=initializer.seed)
    return initializer


def serialize_initializer(initializer):
    """What `get_config` stores for an initialiser argument."""
    return None if initializer is None else keras.initializers.serialize(keras.initializers.get(initializer))
