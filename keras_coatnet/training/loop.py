"""The training loop: AdamW with a warmed-up cosine, one compile, one fit."""

import keras

from keras_coatnet.training.datasets import EvaluationBatches, TrainingBatches

WARMUP_FRACTION = 0.05
NORM_MEMORY_FRACTION = 0.05


def train(model, train_data, held_out_data, *, epochs, batch_size, learning_rate, seed=0, callbacks=()):
    """Trains a classifier in place.

    Args:
        model: `keras.Model` with softmax outputs.
        train_data, held_out_data: (uint8 images (N, H, W, 3), int labels (N,)).
        epochs: passes over the training pictures.
        batch_size: pictures a step.
        learning_rate: its peak, after the warm-up.
        seed: of the order of the pictures.
        callbacks: `keras.callbacks.Callback`s; `logs` hold loss, accuracy, val_loss and val_accuracy.

    Returns: `keras.callbacks.History`.
    """
    batches = TrainingBatches(*train_data, batch_size, seed)
    steps = epochs * len(batches)
    shorten_norm_memory(model, steps)
    model.compile(
        optimizer=make_optimizer(learning_rate, steps),
        # Padding of the last held-out batch weighs nothing, in the loss as in the accuracy.
        loss=keras.losses.SparseCategoricalCrossentropy(reduction="mean_with_sample_weight"),
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    return model.fit(
        batches,
        validation_data=EvaluationBatches(*held_out_data, batches.batch_size),
        epochs=epochs,
        verbose=0,
        callbacks=list(callbacks),
    )


def make_optimizer(learning_rate, steps):
    """AdamW under a cosine to zero after a linear warm-up; only kernels decay.

    Args:
        learning_rate: the peak.
        steps: batches of the whole run, the warm-up included.
    """
    warmup_steps = int(steps * WARMUP_FRACTION)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup_steps else learning_rate,
        steps - warmup_steps,
        warmup_target=learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.05)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def shorten_norm_memory(model, steps):
    """Lets batch norms' moving statistics forget within a twentieth of a run; a shorter memory of their own stays.

    A momentum of 0.99 still holds a tenth of its initial values after 230 steps. In a run of a few hundred steps the
    model would learn well and answer by chance: its statistics, compounded over the layers, are those of no data.

    Args:
        model: `keras.Model`; momenta are changed in place.
        steps: batches of the whole run.
    """
    longest = max(0.5, 1 - 1 / (NORM_MEMORY_FRACTION * steps))
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, longest)
