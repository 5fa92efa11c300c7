"""keras_cv_attention_models' models as something to time: see `keras_coatnet/benchmark/worker_process.py`.

Needs keras-cv-attention-models 1.4.3 on TensorFlow 2.15.1.
"""

import numpy as np
import tensorflow as tf

from peers import kecam_peer

LEARNING_RATE, WEIGHT_DECAY = 1e-4, 0.05
SHOWN_OUTPUTS = 2


def open_model(mark, variant, *, sides, weights, images, batch_size, mode="inference"):
    """The peer's model in a `tf.function`, with weights that ours wrote.

    Args:
        mark: function of a step's name.
        variant: our name.
        sides: (H, W) of the pictures.
        weights: path of an `.h5` file of its names.
        images: path of a `.npy` file of pictures, channels last.
        batch_size: pictures of a call.
        mode: "inference" or "training", a step of AdamW.

    Returns: what `worker_process` wants of a maker.
    """
    mark("import")
    model = kecam_peer.build(variant, sides)
    kecam_peer.load_exactly(model, weights)
    pictures = np.load(images)
    x = tf.constant(np.resize(pictures, (batch_size, *pictures.shape[1:])))
    mark("build")
    call = answer(model, x) if mode == "inference" else training_step(model, x, np.arange(batch_size) % 1000)
    return {
        "calls": {"run": call},
        "outputs": lambda found: np.atleast_2d(found)[:SHOWN_OUTPUTS],
        "about": {"runtime": "keras_cv_attention_models", "image_size": sides, "images_a_call": batch_size},
    }


def answer(model, x):
    run = tf.function(lambda x: model(x, training=False))
    return lambda: run(x).numpy()


def training_step(model, x, labels):
    without_stochastic_depth(model)
    optimizer = tf.keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    cross_entropy = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = cross_entropy(y, model(x, training=True))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    y = tf.constant(labels)
    return lambda: step(x, y).numpy()


def without_stochastic_depth(model):
    """Its drops are layers of their own; as ours, they let everything pass."""
    for layer in model.layers:
        if "drop" in type(layer).__name__.lower():
            layer.rate = 0.0
