"""StableHLO through `jax.export`: one function for processor, GPU and TPU, weights inside, open in its batch."""

import numpy as np

from keras_coatnet.layers.fast.forward import plain_forms

PLATFORMS = ("cpu", "cuda", "tpu")


def write(model, path, request):
    """Writes what `jax.export.deserialize` reads.

    Args:
        model: Keras model on JAX.
        path: to write to.
        request: `Request`.
    """
    import jax

    trainable = [variable.value for variable in model.trainable_variables]
    state = [variable.value for variable in model.non_trainable_variables]

    def answer(images):
        return model.stateless_call(trainable, state, images, training=False)[0]

    batch = request.batch_size or jax.export.symbolic_shape("batch")[0]
    images = jax.ShapeDtypeStruct((batch, *model.input_shape[1:]), model.inputs[0].dtype)
    # The loop over images is for a CPU alone.
    with plain_forms():
        exported = jax.export.export(jax.jit(answer), platforms=PLATFORMS)(images)
    with open(path, "wb") as file:
        file.write(exported.serialize())


def load(path):
    """A function from a batch to the outputs, run by JAX."""
    return Runner(path)


def read_metadata(path):
    """None: they lie beside the file."""
    return None


class Runner:
    """Runs a `.stablehlo` file."""

    def __init__(self, path):
        import jax

        with open(path, "rb") as file:
            exported = jax.export.deserialize(bytearray(file.read()))
        (images,) = exported.in_avals
        self.input_shape = tuple(side if isinstance(side, int) else None for side in images.shape)
        self.input_dtype = str(images.dtype)
        self._call = jax.jit(exported.call)

    def __call__(self, batch):
        """Outputs of a batch, as a NumPy array."""
        return np.asarray(self._call(np.asarray(batch)))
