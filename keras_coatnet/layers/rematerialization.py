"""Memory for time: what a stateless part computes is computed again for its gradients instead of being kept."""

import keras

from keras_coatnet.layers.composite import CompositeLayer


class RematerializingLayer(CompositeLayer):
    """A composite layer with stateless parts that training may compute twice.

    Norms with statistics and anything that draws random numbers stay outside of these parts: computed a second time,
    they would count a batch twice, and draw another mask.

    Args:
        rematerialize: whether training keeps only the inputs of such parts; an attribute too, see `rematerialize`.
    """

    def __init__(self, *, rematerialize=False, **kwargs):
        super().__init__(**kwargs)
        self.rematerialize = rematerialize

    def run_part(self, part, *tensors, training, dropout_rate):
        """part(*tensors), where training with `rematerialize` keeps no more than the tensors for the gradients.

        Args:
            part: function of tensors; what has a gradient is among them, or a variable of some layer.
            tensors: for it.
            training: as in `call`.
            dropout_rate: of dropout inside the part, which above 0 is computed once as ever.
        """
        if self.rematerialize and training and not dropout_rate:
            part = keras.remat(part)
        return part(*tensors)

    def get_config(self):
        return {**super().get_config(), "rematerialize": self.rematerialize}


def rematerialize(model, on=True):
    """Has training keep less: attention and feed-forward parts without dropout are computed again for the gradients.

    Args:
        model: `keras.Model` or layer, changed in place; compile it afterwards.
        on: False keeps everything again.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, RematerializingLayer):
            layer.rematerialize = on
