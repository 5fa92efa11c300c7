"""Batches over the devices that a model lies on: how they have to be filled up, and how they get there.

JAX refuses batches that its devices do not divide, even a single picture; TensorFlow's replicas fail on empty parts.
"""

import keras
import numpy as np


def distribution_of(model):
    """The `keras.distribution.Distribution` in whose scope a model was built, while it holds; else None."""
    distribution = keras.distribution.distribution()
    if distribution is None or not any(getattr(each, "_layout", None) is not None for each in model.variables):
        return None
    return distribution


def strategy_of(model):
    """The `tf.distribute` strategy with several replicas that a model was built under; else None."""
    if keras.backend.backend() != "tensorflow":
        return None
    strategy = getattr(model, "distribute_strategy", None)
    return strategy if strategy is not None and strategy.num_replicas_in_sync > 1 else None


def batch_parts(model):
    """How many equal parts a model's batches are cut into; 1 on a single device, and for what is no Keras model."""
    if not isinstance(model, keras.Model):
        return 1
    if distribution_of(model) is not None:
        return distribution_of(model).num_model_replicas
    strategy = strategy_of(model)
    return 1 if strategy is None else strategy.num_replicas_in_sync


def round_up(count, parts):
    """The next multiple of `parts`."""
    return -(-count // parts) * parts


def predict_spread(model, batch):
    """`model.predict_on_batch`, each device working on its part of the batch.

    Args:
        model: `keras.Model`, or anything with a `predict_on_batch`.
        batch: array of a multiple of `batch_parts(model)` pictures.

    Shapes: -> (N, ...), rows in the order of the batch
    Raises: ValueError for a model that lies on the devices of several processes.
    """
    if batch_parts(model) > 1:
        batch = _on_devices(model, batch)
    return np.asarray(model.predict_on_batch(batch))


def _on_devices(model, batch):
    strategy = strategy_of(model)
    if strategy is None:
        distribution = distribution_of(model)
        if getattr(distribution, "num_processes", 1) > 1:
            raise ValueError(
                f"{model.name!r} is spread over {distribution.num_processes} processes, and Keras predicts in one; "
                "load it without a distribution, or let training.evaluation.collect_answers ask all."
            )
        layout = distribution.get_data_layout(batch.shape)
        return keras.distribution.distribute_tensor(batch, layout)
    parts = np.split(np.asarray(batch), strategy.num_replicas_in_sync)
    # Handed over whole, every replica would answer all of it.
    return strategy.experimental_distribute_values_from_function(lambda each: parts[each.replica_id_in_sync_group])
