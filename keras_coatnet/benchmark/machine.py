"""What the machine can do at best, measured by the backend in use, and what it is."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import keras

# Large enough that nothing else counts, small enough for a measurement of half a second on two cores.
SIDES = {"cpu": 2048, "gpu": 8192}
STREAM_BYTES = {"cpu": 256 << 20, "gpu": 2 << 30}
# How often they are read or written; TensorFlow reads the ones that it adds, too.
STREAM_PASSES = {"jax": 2, "torch": 2, "tensorflow": 3}
PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "onnxruntime", "openvino", "numpy")


def open_ceiling(mark, *, dtype="float32", side=None):
    """Matrix product and memory traffic as calls of a process: see `worker_process`.

    Args:
        mark: function of a step's name.
        dtype: of the product.
        side: of its matrices; None is 2048, and 8192 on a GPU.

    Returns: calls "matmul" and "stream", and in "about" the FLOP and bytes of each.
    """
    mark("import")
    device = "gpu" if has_gpu() else "cpu"
    side = side or SIDES[device]
    calls = {"matmul": matmul_call(side, dtype), "stream": stream_call(STREAM_BYTES[device] // 4)}
    passes = STREAM_PASSES[keras.backend.backend()]
    about = {"flop": 2 * side**3, "bytes": passes * STREAM_BYTES[device], "dtype": dtype, "device": device}
    return {"calls": calls, "about": about}


def matmul_call(side, dtype):
    """A function without arguments that multiplies two square matrices and waits for the result."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax
        import jax.numpy as jnp

        a, b = (jnp.full((side, side), value, dtype) for value in (0.5, 0.25))
        multiply = jax.jit(jnp.matmul)
        return lambda: jax.block_until_ready(multiply(a, b))
    if backend == "tensorflow":
        import tensorflow as tf

        a, b = (tf.fill((side, side), tf.cast(value, dtype)) for value in (0.5, 0.25))
        multiply = tf.function(tf.matmul)
        return lambda: multiply(a, b)[0, 0].numpy()
    import torch

    a, b = (keras.ops.convert_to_tensor(keras.ops.full((side, side), value, dtype)) for value in (0.5, 0.25))
    result = torch.empty_like(a)

    def call():
        with torch.inference_mode():
            torch.matmul(a, b, out=result)
        _wait_for_torch(result)

    return call


def stream_call(count):
    """A function without arguments that adds one to `count` float32 numbers in place, see `STREAM_PASSES`."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax
        import jax.numpy as jnp

        add = jax.jit(lambda x: x + 1, donate_argnums=0)
        kept = [jnp.zeros(count, "float32")]

        def call():
            kept[0] = jax.block_until_ready(add(kept[0]))

        return call
    if backend == "tensorflow":
        import tensorflow as tf

        values, ones = tf.Variable(tf.zeros(count)), tf.ones(count)
        add = tf.function(lambda: values.assign_add(ones)[0])
        return lambda: add().numpy()

    values = keras.ops.convert_to_tensor(keras.ops.zeros((count,), "float32"))

    def call():
        values.add_(1)
        _wait_for_torch(values)

    return call


def has_gpu():
    """Whether the backend in use computes on a GPU."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.default_backend() == "gpu"
    if backend == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    import torch

    return torch.cuda.is_available()


def device_peak_bytes():
    """The most memory of a GPU that the backend in use has held; None without one."""
    if not has_gpu():
        return None
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.devices()[0].memory_stats()["peak_bytes_in_use"]
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    import torch

    return torch.cuda.max_memory_allocated()


def describe_machine():
    """What a reader of figures wants to know: processor, cores, memory, system and versions."""
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "memory": memory_bytes(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name)) is not None},
    }


def processor_name():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def memory_bytes():
    """Of the machine; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def load_average():
    """Processes that wanted to run, over the last minute; None where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _wait_for_torch(tensor):
    import torch

    if tensor.is_cuda:
        torch.cuda.synchronize()


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None
