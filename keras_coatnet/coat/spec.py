"""What a CoaT is: a row of plain data. Nothing is checked here; `check.check_spec` does, when a model is built."""

import dataclasses

from keras_coatnet.families.check import frozen
from keras_coatnet.layers.conv_position import WINDOWS


@dataclasses.dataclass(frozen=True)
class CoaTSpec:
    """One architecture: four scales in a row, each of serial blocks, then parallel blocks over scales 2, 3 and 4.

    Shape
        embed_dims, serial_depths: channels and serial blocks of each scale.
        parallel_depth: parallel blocks; 0 is CoaT-Lite, whose head reads the last scale alone.
        mlp_ratios: hidden channels of the perceptrons over those of the scale, one a scale.
        num_heads: heads of every attention; they divide all channels.
        patch_sizes: side of a patch, in pixels of the scale before.
        windows: ((side, heads), ...) of the convolutional relative positions.
        position_kernel_size: side of the convolutional position encoding's window.
        input_size, num_classes: as published; defaults for a model built from this row.
    Everywhere
        activation: of the perceptrons.
        qkv_bias: whether q, k and v have biases.
        norm_epsilon: of the norms in blocks and head. patch_norm_epsilon: of those behind the patch embeddings.
    Shipping
        folded: whether norms and the position encoding's shortcut are folded into the linear maps beside them.
    Training
        drop_path_rate: published stochastic depth, the same for every block.
    """

    name: str
    embed_dims: tuple
    serial_depths: tuple
    parallel_depth: int
    mlp_ratios: tuple
    num_heads: int = 8
    patch_sizes: tuple = (4, 2, 2, 2)
    windows: tuple = WINDOWS
    position_kernel_size: int = 3
    input_size: int = 224
    num_classes: int = 1000
    activation: str = "gelu"
    qkv_bias: bool = True
    norm_epsilon: float = 1e-6
    patch_norm_epsilon: float = 1e-5
    folded: bool = False
    drop_path_rate: float = 0.0
    family: str = "coat"

    def __post_init__(self):
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, frozen(getattr(self, field.name)))

    def fused(self):
        """The row of the same function with nothing left of norms that their neighbours can take."""
        return dataclasses.replace(self, folded=True)


def narrow_spec(spec, depths, widths, stem=None):
    """A small twin: other serial depths and channels, other fields kept.

    Args:
        spec: of the variant.
        depths: serial blocks of each scale; one more number is that of parallel blocks, where the variant has any.
        widths: channels of each scale.
        stem: None, since a CoaT has none.

    Raises: ValueError for a stem.
    """
    if stem is not None:
        raise ValueError(f"{spec.name} has no stem to narrow: stem must be None; got {stem!r}.")
    depths = tuple(depths)
    parallel_depth = spec.parallel_depth
    if len(depths) == len(spec.serial_depths) + 1:
        *depths, parallel_depth = depths
    return dataclasses.replace(spec, serial_depths=depths, parallel_depth=parallel_depth, embed_dims=widths)
