"""What a model says to a batch of which each process has a part."""

import numpy as np

from keras_coatnet.prediction.spread import distribution_of, predict_spread
from keras_coatnet.training.scale.processes import process_count


def make_answerer(model):
    """A function from this process's part of a batch, pictures first, to (answers, other arrays) of the whole batch."""
    distribution = distribution_of(model)
    if process_count() == 1 or distribution is None:
        return lambda images, *others: (predict_spread(model, images), *others)
    return _gathering(model, distribution)


def _gathering(model, distribution):
    """Keras' own prediction leaves each process with its part of the answers, and fails when it reads the rest."""
    import jax

    def compute(trainable, others, images, *rest):
        return model.stateless_call(trainable, others, images, training=False)[0], *rest

    everywhere = jax.sharding.NamedSharding(distribution.device_mesh.backend_mesh, jax.sharding.PartitionSpec())
    compute = jax.jit(compute, out_shardings=everywhere)

    def answer(*parts):
        layouts = [distribution.get_data_layout(part.shape).backend_layout for part in parts]
        arrays = [jax.make_array_from_process_local_data(*pair) for pair in zip(layouts, parts, strict=True)]
        trainable = [variable.value for variable in model.trainable_variables]
        others = [variable.value for variable in model.non_trainable_variables]
        return tuple(np.asarray(array) for array in compute(trainable, others, *arrays))

    return answer
