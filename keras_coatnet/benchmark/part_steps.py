"""What is timed of a part of a model: an answer, and both passes of training."""

import keras

from keras_coatnet.benchmark.steps import compiles_with_xla, inference_call, values_of


def part_calls(model, images):
    """What a part of a model does in inference and training, as functions without arguments that wait for the results.

    Args:
        model: `keras.Model` of one input and one output.
        images: float32 array, its input.

    Returns: {"inference": the answer, "forward": the answer in training mode, "both": that and the gradients of its sum
        of squares for weights and input}.
    """
    kind = {"jax": _part_jax, "tensorflow": _part_tensorflow, "torch": _part_torch}[keras.backend.backend()]
    return {"inference": inference_call(model, images), **kind(model, images)}


def _part_jax(model, images):
    import jax

    def forward(trainable, others, x):
        outputs, others = model.stateless_call(trainable, others, x, training=True)
        return outputs, others

    def objective(trainable, x, others):
        outputs, others = forward(trainable, others, x)
        return (outputs.astype("float32") ** 2).sum(), others

    run, differentiate = jax.jit(forward), jax.jit(jax.value_and_grad(objective, argnums=(0, 1), has_aux=True))
    trainable, others = values_of(model.trainable_variables), values_of(model.non_trainable_variables)
    x = jax.device_put(images)
    return {
        "forward": lambda: jax.block_until_ready(run(trainable, others, x)),
        "both": lambda: jax.block_until_ready(differentiate(trainable, x, others)),
    }


def _part_tensorflow(model, images):
    import tensorflow as tf

    weights = [variable.value for variable in model.trainable_variables]

    @tf.function(jit_compile=compiles_with_xla())
    def forward(x):
        return model(x, training=True)

    @tf.function(jit_compile=compiles_with_xla())
    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            objective = tf.reduce_sum(tf.cast(model(x, training=True), "float32") ** 2)
        gradients = tape.gradient(objective, [*weights, x], unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [tf.convert_to_tensor(gradient) for gradient in gradients]

    x = tf.constant(images)
    return {"forward": lambda: forward(x)[0].numpy(), "both": lambda: both(x)[-1][0].numpy()}


def _part_torch(model, images):
    import torch

    x = keras.ops.convert_to_tensor(images).detach().clone().requires_grad_()

    def forward():
        # As in a step, with all that the backward pass will want.
        return _waited(model(x, training=True).detach())

    def both():
        model.zero_grad()
        x.grad = None
        (model(x, training=True).float() ** 2).sum().backward()
        return _waited(x.grad)

    def _waited(tensor):
        if tensor.is_cuda:
            torch.cuda.synchronize()
        return tensor

    return {"forward": forward, "both": both}
