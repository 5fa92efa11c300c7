"""The model class of CoAtNet: what the weights package and users ask of one."""

import itertools

import keras

from keras_coatnet.coatnet.check import POOLINGS
from keras_coatnet.coatnet.names import NAME_TABLES
from keras_coatnet.coatnet.plan import plan_blocks
from keras_coatnet.coatnet.sizes import check_input_sides
from keras_coatnet.coatnet.spec import CoAtNetSpec
from keras_coatnet.families.model import FamilyModel


@keras.saving.register_keras_serializable(package="keras_coatnet")
class CoAtNetModel(FamilyModel):
    """A Functional model that remembers the spec and the options it was built from, through `.keras` files too."""

    spec_class = CoAtNetSpec
    first_layer = "stem"
    name_tables = NAME_TABLES
    head_layers = ("head_norm", "pre_logits", "predictions")
    classifier = "predictions"
    first_convolution = "stem/convolution1/kernel"
    poolings = POOLINGS
    check_input_sides = staticmethod(check_input_sides)

    def may_not_fit(self, side):
        return side % self.spec.size_multiple != 0

    @property
    def table_resize(self):
        return self.spec.table_resize

    @property
    def checkpoint_layers(self):
        """The layers that a checkpoint fills: stem, blocks and head, not what a user put in front of them."""
        names = {"stem", *(block.name for block in plan_blocks(self.spec)), *self.head_layers}
        return [layer for layer in self.layers if layer.name in names]

    @property
    def deciding_layers(self):
        """{"stem": "stem", "stage1": name of its last block, ...}"""
        last_of_stage = {f"stage{block.stage}": block.name for block in plan_blocks(self.known_spec)}
        return {"stem": "stem", **last_of_stage}

    @property
    def convolutional_end(self):
        """Name of the last layer in front of the first transformer block; None without a spec."""
        if self.spec is None:
            return None
        blocks = itertools.takewhile(lambda block: block.kind != "transformer", plan_blocks(self.spec))
        return ["stem", *(block.name for block in blocks)][-1]

    @property
    def stage_tensors(self):
        """Symbolic outputs of the stem and of each stage, un-normed: a list."""
        return [self.get_layer(name).output for name in self.deciding_layers.values()]

    @property
    def pyramid_outputs(self):
        """{"P1": tensor, ...}: the last map of stride 2^n as "Pn", for detectors and segmenters."""
        stride, maps = 1, {}
        for step in self.known_spec.stem_strides:
            stride *= step
        stem, *stages = self.stage_tensors
        for tensor, step in zip([stem, *stages], (1, *self.spec.strides), strict=True):
            stride *= step
            if stride & (stride - 1) == 0:
                maps[f"P{stride.bit_length() - 1}"] = tensor
        return maps
