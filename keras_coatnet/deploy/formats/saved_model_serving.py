"""A SavedModel as a function."""

import numpy as np


class Runner:
    """Runs the endpoint of a SavedModel, or `serving_default` where it has no such endpoint.

    Args:
        path: folder.
        endpoint: name of a signature.

    Raises: ValueError for a SavedModel with other than one input and one output.
    """

    def __init__(self, path, endpoint):
        import tensorflow as tf

        # Held, since the signatures' variables live as long as it does.
        self._loaded = tf.saved_model.load(path)
        signatures = self._loaded.signatures
        self._function = signatures[endpoint if endpoint in signatures else "serving_default"]
        inputs = self._function.structured_input_signature[1]
        outputs = self._function.structured_outputs
        if len(inputs) != 1 or len(outputs) != 1:
            raise ValueError(f"{path} has {len(inputs)} inputs and {len(outputs)} outputs; one of each is run.")
        ((self._name, spec),) = inputs.items()
        self.input_shape, self.input_dtype = tuple(spec.shape), spec.dtype.name

    def __call__(self, batch):
        """Outputs of a batch, as a NumPy array."""
        import tensorflow as tf

        (outputs,) = self._function(**{self._name: tf.constant(np.asarray(batch))}).values()
        return outputs.numpy()
