"""The devices of one process or of many, as Keras and TensorFlow know them: copies of a model, or parts of one."""

import math

import keras

from keras_coatnet.families.sharding import MODEL
from keras_coatnet.training.scale.layouts import layout_map
from keras_coatnet.training.scale.parts import Parts
from keras_coatnet.training.scale.processes import process_count

BATCH = "batch"


class CutWhereDivisible(keras.distribution.ModelParallel):
    """A variable that its axis of the mesh does not divide, which JAX would refuse, lies whole on every device."""

    def get_variable_layout(self, variable):
        layout = super().get_variable_layout(variable)
        parts = dict(zip(self.device_mesh.axis_names, self.device_mesh.shape, strict=True))
        divisible = all(side % parts.get(axis, 1) == 0 for side, axis in zip(variable.shape, layout.axes, strict=True))
        if divisible:
            return layout
        return keras.distribution.TensorLayout([None] * len(variable.shape), self.device_mesh)


def make_distribution(devices=None, model_parallel=1):
    """What spreads a model over devices; in its `scope()` models are built, trained and used.

    Args:
        devices: how many, the first ones; None is all, those of all processes.
        model_parallel: how many share one copy of the model (JAX only). Batches are cut over the copies.

    Returns: `keras.distribution.DataParallel` or `ModelParallel` on JAX, `tf.distribute.MirroredStrategy` on
        TensorFlow.
    Raises: ValueError for more devices than there are, for copies that the devices do not make up, or on PyTorch.
    """
    backend = keras.backend.backend()
    if backend == "torch":
        raise ValueError("Several devices need KERAS_BACKEND=jax, or tensorflow; PyTorch trains on one.")
    if backend == "tensorflow" and model_parallel > 1:
        raise ValueError(f"model_parallel={model_parallel} needs KERAS_BACKEND=jax; TensorFlow's devices hold copies.")
    chosen = choose_devices(_list_devices(backend), devices, model_parallel)
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.distribute.MirroredStrategy(chosen)
    # Feeds hand out the part of this process; Keras would cut it once more.
    if model_parallel == 1:
        return keras.distribution.DataParallel(devices=chosen, auto_shard_dataset=False)
    shape = (len(chosen) // model_parallel, model_parallel)
    mesh = keras.distribution.DeviceMesh(shape, (BATCH, MODEL), chosen)
    return CutWhereDivisible(layout_map=layout_map(mesh), batch_dim_name=BATCH, auto_shard_dataset=False)


def choose_devices(found, devices=None, model_parallel=1):
    """The first `devices` of those found.

    Raises: ValueError where there are fewer, or `model_parallel` does not divide them.
    """
    count = len(found) if devices is None else devices
    if not 1 <= count <= len(found):
        raise ValueError(f"devices must be from 1 to {len(found)}, as many as there are; got {count}.")
    if model_parallel < 1 or count % model_parallel:
        raise ValueError(f"model_parallel must divide the {count} devices; got {model_parallel}.")
    return found[:count]


def current_parts():
    """The `Parts` of the distribution or strategy in whose scope this is called; one part without.

    Raises: ValueError for a distribution that lets Keras cut what feeds have cut already.
    """
    distribution = keras.distribution.distribution()
    if distribution is None:
        return Parts(multiple=_replicas_of_strategy())
    replicas, processes = distribution.num_model_replicas, process_count()
    if processes == 1:
        return Parts(multiple=replicas)
    if distribution.auto_shard_dataset:
        raise ValueError(
            "Each process reads its part of a batch here: make the distribution with auto_shard_dataset=False."
        )
    import jax

    # Processes that share one copy of a model need the same pictures.
    count = min(processes, replicas)
    return Parts(jax.process_index() // (processes // count), count, math.lcm(replicas, 2 * count))


def _list_devices(backend):
    if backend == "jax":
        return keras.distribution.list_devices()
    import tensorflow as tf

    for kind in ("GPU", "CPU"):
        found = tf.config.list_logical_devices(kind)
        if found:
            return [device.name for device in found]
    return []


def _replicas_of_strategy():
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync
