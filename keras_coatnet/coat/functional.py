"""The model class of CoaT: what the weights package and users ask of one."""

import math

import keras

from keras_coatnet.coat.check import POOLINGS
from keras_coatnet.coat.names import NAME_TABLES
from keras_coatnet.coat.plan import PARALLEL_SCALES, head_norm_name, parallel_blocks, plan_scales
from keras_coatnet.coat.sizes import check_input_sides
from keras_coatnet.coat.spec import CoaTSpec
from keras_coatnet.families.model import FamilyModel

SHARED_OF_SCALE = ("patch_embedding", "class_token", "position_encoding", "relative_position")


@keras.saving.register_keras_serializable(package="keras_coatnet")
class CoaTModel(FamilyModel):
    """A Functional model that remembers the spec and the options it was built from, through `.keras` files too."""

    spec_class = CoaTSpec
    first_layer = "stage1_patch_embedding"
    name_tables = NAME_TABLES
    head_layers = (*map(head_norm_name, PARALLEL_SCALES), "aggregation", "predictions")
    plain_layers = ("class_token", "class_tokens")
    classifier = "predictions"
    first_convolution = "stage1_patch_embedding/convolution/kernel"
    poolings = POOLINGS
    check_input_sides = staticmethod(check_input_sides)

    @property
    def checkpoint_layers(self):
        """The layers that a checkpoint fills, not what a user put in front of them."""
        names = {*self.head_layers, *parallel_blocks(self.spec)}
        for scale in plan_scales(self.spec):
            names |= {*(f"{scale.prefix}_{noun}" for noun in SHARED_OF_SCALE), *scale.blocks}
        return [layer for layer in self.layers if layer.name in names]

    @property
    def deciding_layers(self):
        """{"stage1": name of its position encoding, ...}

        In front of each block it gives the map that the block reads; of what the last block makes of the last maps, the
        classifier reads the class tokens alone.
        """
        return {scale.prefix: f"{scale.prefix}_position_encoding" for scale in plan_scales(self.known_spec)}

    @property
    def stage_tensors(self):
        """Symbolic maps of each scale without class tokens, un-normed: a list.

        Behind the serial blocks, and at scales 2 to 4 behind the parallel ones where there are any.
        """
        spec = self.known_spec
        maps = {scale.number: self.get_layer(scale.blocks[-1]).output[0] for scale in plan_scales(spec)}
        if spec.parallel_depth:
            # Keras hands outputs out flat: the maps, then the class tokens.
            joined = self.get_layer(parallel_blocks(spec)[-1]).output[: len(PARALLEL_SCALES)]
            maps |= dict(zip(PARALLEL_SCALES, joined, strict=True))
        return list(maps.values())

    @property
    def pyramid_outputs(self):
        """{"P2": tensor, ...}: the map of stride 2^n as "Pn", for detectors and segmenters."""
        strides = [math.prod(self.known_spec.patch_sizes[: number + 1]) for number in range(4)]
        maps = dict(zip(strides, self.stage_tensors, strict=True))
        return {f"P{stride.bit_length() - 1}": x for stride, x in maps.items() if stride & (stride - 1) == 0}
