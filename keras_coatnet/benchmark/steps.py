"""What is timed of a Keras model, without Keras' loops around it: one batch answered, or one training step.

Both take tensors that are there already, and return when the numbers are.
"""

import keras
import numpy as np

LEARNING_RATE, WEIGHT_DECAY = 1e-4, 0.05


def inference_call(model, images):
    """A function without arguments that answers one batch, compiled where the backend compiles; returns the outputs.

    Args:
        model: `keras.Model`.
        images: float32 array.
    """
    return {"jax": _inference_jax, "tensorflow": _inference_tensorflow, "torch": _inference_torch}[
        keras.backend.backend()
    ](model, images)


def training_call(model, images, labels):
    """A function without arguments that makes one training step, AdamW on cross-entropy; returns the loss before it.

    Args:
        model: `keras.Model` that gives logits. On JAX its own variables are not kept up to date.
        images: float32 array.
        labels: array of class numbers.
    """
    optimizer = keras.optimizers.AdamW(learning_rate=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    optimizer.build(model.trainable_variables)
    return {"jax": _training_jax, "tensorflow": _training_tensorflow, "torch": _training_torch}[
        keras.backend.backend()
    ](model, optimizer, images, labels)


def keras_call(model, mode, images, labels, steps=4):
    """A function without arguments that goes through Keras' own `predict_on_batch`, `train_on_batch` or `fit`.

    Args:
        model: `keras.Model` that gives logits.
        mode: "predict_on_batch", "train_on_batch" or "fit".
        images, labels: of one batch.
        steps: batches of an epoch of `fit`.
    """
    if mode == "predict_on_batch":
        return lambda: model.predict_on_batch(images)
    model.compile(
        optimizer=keras.optimizers.AdamW(learning_rate=LEARNING_RATE, weight_decay=WEIGHT_DECAY),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=compiles_with_xla(),
    )
    if mode == "train_on_batch":
        return lambda: float(model.train_on_batch(images, labels))
    many = np.concatenate([images] * steps), np.concatenate([labels] * steps)
    return lambda: model.fit(*many, batch_size=len(images), epochs=1, shuffle=False, verbose=0)


def compiles_with_xla():
    """Keras' `jit_compile`: never on TensorFlow's CPU, where XLA is slower."""
    if keras.backend.backend() != "tensorflow":
        return "auto"
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def _cross_entropy(logits, labels):
    losses = keras.ops.sparse_categorical_crossentropy(labels, keras.ops.cast(logits, "float32"), from_logits=True)
    return keras.ops.mean(losses)


def _inference_jax(model, images):
    import jax

    trainable, others = values_of(model.trainable_variables), values_of(model.non_trainable_variables)
    run = jax.jit(lambda trainable, others, x: model.stateless_call(trainable, others, x, training=False)[0])
    x = jax.device_put(images)
    return lambda: jax.block_until_ready(run(trainable, others, x))


def _inference_tensorflow(model, images):
    import tensorflow as tf

    run = tf.function(lambda x: model(x, training=False), jit_compile=compiles_with_xla())
    x = tf.constant(images)
    return lambda: run(x).numpy()


def _inference_torch(model, images):
    import torch

    x = keras.ops.convert_to_tensor(images)

    def call():
        with torch.inference_mode():
            outputs = model(x, training=False)
        if outputs.is_cuda:
            torch.cuda.synchronize()
        return outputs

    return call


def _training_jax(model, optimizer, images, labels):
    import functools

    import jax

    def loss_of(trainable, others, x, y):
        logits, others = model.stateless_call(trainable, others, x, training=True)
        return _cross_entropy(logits, y), others

    @functools.partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(trainable, others, slots, x, y):
        (loss, others), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable, others, x, y)
        trainable, slots = optimizer.stateless_apply(slots, gradients, trainable)
        return (trainable, others, slots), loss

    state = tuple(
        values_of(each) for each in (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    )
    x, y = jax.device_put(images), jax.device_put(labels)

    def call():
        nonlocal state
        state, loss = step(*state, x, y)
        return jax.block_until_ready(loss)

    return call


def _training_tensorflow(model, optimizer, images, labels):
    import tensorflow as tf

    @tf.function(jit_compile=compiles_with_xla())
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = _cross_entropy(model(x, training=True), y)
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, [each.value for each in variables]), variables)
        return loss

    x, y = tf.constant(images), tf.constant(labels)
    return lambda: step(x, y).numpy()


def _training_torch(model, optimizer, images, labels):
    import torch

    x, y = keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(labels)

    def call():
        model.zero_grad()
        loss = _cross_entropy(model(x, training=True), y)
        loss.backward()
        variables = model.trainable_variables
        with torch.no_grad():
            optimizer.apply([each.value.grad for each in variables], variables)
        if loss.is_cuda:
            torch.cuda.synchronize()
        return loss.detach()

    return call


def values_of(variables):
    """The arrays of variables."""
    return [variable.value for variable in variables]
