"""What all layers that own sub-layers share: one dtype policy, and configs that survive quantization."""

import keras


class CompositeLayer(keras.layers.Layer):
    """A layer made of named sub-layers.

    Every sub-layer is created with `dtype=self.dtype_policy` and kept in an attribute that has the sub-layer's own
    name: `.weights.h5` keys come from these attributes. `call` works on plain tensors, so intermediate maps are freed
    as soon as they are dead.
    """

    def get_config(self):
        config = super().get_config()
        quantized = {
            layer.path: layer.dtype_policy
            if not hasattr(layer.dtype_policy, "default_policy")
            else layer.dtype_policy[layer.path]
            for layer in self._flatten_layers(include_self=False)
            if layer.quantization_mode is not None
        }
        if quantized:
            # Without the map a reloaded sub-layer would not know that it has int8 kernels and scales to read.
            policy = self.dtype_policy
            default = getattr(policy, "default_policy", policy)
            policy_map = keras.dtype_policies.DTypePolicyMap(default_policy=default, policy_map=quantized)
            config["dtype"] = keras.dtype_policies.serialize(policy_map)
        return config


def at_least_float32(dtype):
    """The dtype for softmax and logits: float32, or float64 where that is what the layer computes in."""
    return keras.backend.result_type(dtype, "float32")
