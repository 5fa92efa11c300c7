"""Optimizers whose learning rate differs from variable to variable, by a factor each.

The factors are applied where Keras hands gradients to the update, one group of equal factors at a time. Keras'
MultiOptimizer, one optimizer a group, would clip each group by its own norm and count as many iterations and schedules
as there are groups; scaling gradients does nothing under AdamW or LAMB.
"""

import keras


class LayerwiseRates:
    """Mixin for Keras optimizers.

    Args:
        multipliers: dictionary from variables' paths to factors; others have 1.
        **keywords: of the optimizer.
    """

    def __init__(self, multipliers, **keywords):
        super().__init__(**keywords)
        self.multipliers = dict(multipliers)

    def multiplier(self, variable):
        return self.multipliers.get(variable.path, 1.0)

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        groups = {}
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            gradients, variables = groups.setdefault(self.multiplier(variable), ([], []))
            gradients.append(gradient)
            variables.append(variable)
        for factor, (gradients, variables) in groups.items():
            super()._backend_update_step(gradients, variables, learning_rate * factor)

    def _apply_weight_decay(self, variables):
        if self.weight_decay is None:
            return
        for variable in variables:
            if self._use_weight_decay(variable):
                rate = keras.ops.cast(self.learning_rate, variable.dtype) * self.multiplier(variable)
                variable.assign(variable - variable * self.weight_decay * rate)

    def get_config(self):
        return {**super().get_config(), "multipliers": self.multipliers}


@keras.saving.register_keras_serializable(package="keras_coatnet")
class LayerwiseAdamW(LayerwiseRates, keras.optimizers.AdamW):
    """AdamW with a factor of the learning rate for each variable; see `LayerwiseRates`."""


@keras.saving.register_keras_serializable(package="keras_coatnet")
class LayerwiseLamb(LayerwiseRates, keras.optimizers.Lamb):
    """LAMB with a factor of the learning rate for each variable; see `LayerwiseRates`."""


@keras.saving.register_keras_serializable(package="keras_coatnet")
class LayerwiseSGD(LayerwiseRates, keras.optimizers.SGD):
    """SGD with a factor of the learning rate for each variable; see `LayerwiseRates`."""


@keras.saving.register_keras_serializable(package="keras_coatnet")
class LayerwiseMuon(LayerwiseRates, keras.optimizers.Muon):
    """Muon with a factor of the learning rate for each variable; see `LayerwiseRates`."""
