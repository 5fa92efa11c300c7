"""One layer or model run by the backend at hand: outputs, gradients, random weights. NumPy in, NumPy out."""

import contextlib
import functools
import tempfile
import weakref

import keras
import numpy as np

BACKEND = keras.backend.backend()
_compiled = weakref.WeakKeyDictionary()


def run(layer, x, training=False):
    """The output for `x`; statistics and random states move on as in a call. Compiled where the backend is JAX."""
    return to_numpy(run_tensor(layer, x, training))


def run_tensor(layer, x, training=False):
    """`run` with the output as the backend's tensor."""
    build(layer, x)
    if BACKEND == "jax":
        return _run_jax(layer, x, training)
    with _without_gradients():
        return layer(keras.ops.convert_to_tensor(x), **training_argument(layer, training))


def build(layer, x):
    if not layer.built:
        layer.build(x.shape)


def training_argument(layer, training):
    """`training` for a layer whose `call` takes it."""
    return {"training": training} if layer._call_has_training_arg else {}


def gradients(layer, x, training=False):
    """Gradients of a fixed random projection of the output: ([one a trainable weight], the input's)."""
    build(layer, x)
    projection = np.random.default_rng(1).standard_normal(output_shape(layer, x)).astype("float32")

    def objective(y):
        return keras.ops.sum(keras.ops.cast(y, "float32") * keras.ops.convert_to_tensor(projection))

    found = {"jax": _gradients_jax, "tensorflow": _gradients_tensorflow, "torch": _gradients_torch}[BACKEND](
        layer, x, objective, training
    )
    return [None if gradient is None else to_numpy(gradient) for gradient in found[0]], to_numpy(found[1])


def output_shape(layer, x):
    shape = layer.compute_output_shape(x.shape)
    return shape if all(isinstance(side, int) for side in shape) else run(layer, x).shape


def to_numpy(tensor):
    """float32 at least: NumPy has no bfloat16."""
    if keras.backend.standardize_dtype(tensor.dtype) in ("float16", "bfloat16"):
        tensor = keras.ops.cast(tensor, "float32")
    return keras.ops.convert_to_numpy(tensor)


def randomize(layer, seed=0):
    """Give every weight random values that keep activations near 1: no zeros or ones that hide a mistake."""
    generator = np.random.default_rng(seed)
    for weight in layer.weights:
        values = generator.standard_normal(weight.shape)
        if weight.name == "moving_variance":
            values = 0.5 + generator.random(weight.shape)
        elif weight.name == "gamma":
            values = 1.0 + 0.3 * values
        elif weight.name in ("beta", "bias", "moving_mean"):
            values = 0.3 * values
        elif weight.name == "kernel":
            inputs = np.prod(weight.shape[:-1])
            if "depthwise" in weight.path:
                inputs = weight.shape[0] * weight.shape[1]
            values = values / np.sqrt(inputs)
        weight.assign(values.astype("float32"))


def image(shape, seed=0):
    """A random float32 array."""
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


@contextlib.contextmanager
def quick_compilation():
    """JAX spends the tests' time on compiling, and tiny maps need none of its optimisations."""
    if BACKEND != "jax":
        yield
        return
    import jax

    jax.config.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", False)


@functools.cache
def _quick_options():
    """XLA on CPU compiles in half the time by its older way to fuse; None where this XLA no longer has it."""
    import jax

    options = {"xla_cpu_use_fusion_emitters": False}
    try:
        jax.jit(lambda x: x, compiler_options=options)(0)
    except jax.errors.JaxRuntimeError:
        return None
    return options


def _share_compiled_programs():
    """Copies of a layer take one compilation. JAX asks for the folder once, at its first compilation."""
    import jax

    folder = tempfile.TemporaryDirectory(prefix="compiled-")
    jax.config.update("jax_compilation_cache_dir", folder.name)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder


# The folder lives as long as the name that holds it.
_programs = _share_compiled_programs() if BACKEND == "jax" else None


def _without_gradients():
    if BACKEND == "torch":
        import torch

        return torch.no_grad()
    return contextlib.nullcontext()


def _run_jax(layer, x, training):
    import jax

    functions = _compiled.setdefault(layer, {})
    if training not in functions:
        functions[training] = jax.jit(
            lambda *values: _call_with(layer, *values, training), compiler_options=_quick_options()
        )
    with quick_compilation():
        y, state = functions[training](_values(layer.trainable_variables), _values(layer.non_trainable_variables), x)
    for variable, value in zip(layer.non_trainable_variables, state, strict=True):
        variable.assign(value)
    return y


def _values(variables):
    return [variable.value for variable in variables]


def _call_with(layer, trainable, state, x, training):
    """(output, state afterwards) of a call with these values. `stateless_call` would skip the cast of `x`."""
    variables = [*layer.trainable_variables, *layer.non_trainable_variables]
    with keras.StatelessScope(state_mapping=list(zip(variables, [*trainable, *state], strict=True))) as scope:
        y = layer(x, **training_argument(layer, training))
    return y, [scope.get_current_value(variable) for variable in layer.non_trainable_variables]


def _gradients_jax(layer, x, objective, training):
    import jax

    state = _values(layer.non_trainable_variables)

    def loss(trainable, x):
        return objective(_call_with(layer, trainable, state, x, training)[0])

    with quick_compilation():
        compute = jax.jit(jax.grad(loss, argnums=(0, 1)), compiler_options=_quick_options())
        return compute(_values(layer.trainable_variables), x)


def _gradients_tensorflow(layer, x, objective, training):
    import tensorflow as tf

    x = tf.constant(x)
    weights = [weight.value for weight in layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = objective(layer(x, **training_argument(layer, training)))
    found = tape.gradient(value, [*weights, x], unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return found[:-1], found[-1]


def _gradients_torch(layer, x, objective, training):
    import torch

    x = torch.tensor(x, requires_grad=True)
    layer.zero_grad()
    objective(layer(x, **training_argument(layer, training))).backward()
    weights = [weight.value.grad for weight in layer.trainable_variables]
    return weights, torch.zeros_like(x) if x.grad is None else x.grad
