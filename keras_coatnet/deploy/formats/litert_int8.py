"""Which operators of a LiteRT file compute in int8. What was measured to choose them: docs/int8.md."""

import dataclasses
import re

from keras_coatnet.deploy.formats.litert_operators import read_operators
from keras_coatnet.deploy.formats.litert_ranges import with_fitted_ranges

# A map is (batch, height, width, channels); behind the last one there are vectors.
_MAP_RANK = 4
# What a layer computes carries its path in its name, a number behind each part where a model was called again. A block
# of convolutions is one with a depthwise convolution inside.
_CONVOLUTION_BLOCK = re.compile(r"([^;]+/)depthwise(?:_\d+)?/")
_SQUEEZE_EXCITE = re.compile(r"/squeeze_excite(?:_\d+)?/")
_SHORTCUT = re.compile(r"/shortcut(?:_\d+)?/")
_COLOURS = 3

# Groups of operators, by what they compute.
GROUPS = {
    "head": lambda operator, blocks: operator.outputs[0].rank < _MAP_RANK,
    "first convolution": lambda operator, blocks: _reads_a_picture(operator),
    "convolution blocks": lambda operator, blocks: any(block in operator.outputs[0].name for block in blocks),
    "squeeze and excitation": lambda operator, blocks: _SQUEEZE_EXCITE.search(operator.outputs[0].name) is not None,
    "shortcuts": lambda operator, blocks: _SHORTCUT.search(operator.outputs[0].name) is not None,
}


@dataclasses.dataclass(frozen=True)
class Scheme:
    """What computes in int8; the rest stays in float32.

    Args:
        kinds: operators by the schema's name; None is all there are.
        without: names of `GROUPS` that do not.
    """

    kinds: tuple | None
    without: tuple


_PRODUCTS = ("FULLY_CONNECTED", "CONV_2D")
SCHEMES = {
    # Top-1 as in float on 99% of pictures: the linear maps of the transformer blocks, which hold nearly all weights of
    # a CoAtNet, and the second convolution of the stem, its largest.
    "int8": Scheme(_PRODUCTS, without=("head", "first convolution", "convolution blocks", "shortcuts")),
    # The fastest on CPUs, 98.5%: all products but depthwise ones.
    "int8_fast": Scheme(_PRODUCTS, without=("head", "squeeze and excitation")),
    # For accelerators that know int8 alone, 94%: all that LiteRT has in int8.
    "int8_whole": Scheme(None, without=()),
}


def quantize(calibrated, pictures, scheme):
    """A calibrated file with some operators in int8.

    Args:
        calibrated: bytes of a float file with the range of every tensor, as TensorFlow's calibrator makes it.
        pictures: what it was calibrated with, an iterable of lists with one batch.
        scheme: `Scheme`.

    Returns: bytes.
    """
    # No public function quantizes a part of a model from ranges that are given.
    from tensorflow.lite.python.convert import mlir_quantize

    operators = read_operators(calibrated)
    chosen = choose_operators(operators, scheme)
    tensors = {tensor.name for each in chosen for tensor in (*each.inputs, *each.outputs)}
    fitted = with_fitted_ranges(calibrated, pictures, tensors)
    others = {each.outputs[0].name for each in operators} - {each.outputs[0].name for each in chosen}
    return mlir_quantize(fitted, denylisted_nodes=others)


def choose_operators(operators, scheme):
    """Those of a file's operators that a scheme has in int8."""
    if "convolution blocks" in scheme.without and not has_attention(operators):
        scheme = SCHEMES["int8_fast"]
    blocks = convolution_blocks(operators)
    groups = [GROUPS[name] for name in scheme.without]
    return [
        each
        for each in operators
        if (scheme.kinds is None or each.name in scheme.kinds) and not any(group(each, blocks) for group in groups)
    ]


def has_attention(operators):
    return any(each.name == "SOFTMAX" and each.outputs[0].rank == _MAP_RANK for each in operators)


def convolution_blocks(operators):
    """Paths of the blocks that hold a depthwise convolution."""
    return {block for each in operators for block in _CONVOLUTION_BLOCK.findall(each.outputs[0].name)}


def _reads_a_picture(operator):
    return operator.name == "CONV_2D" and operator.inputs[0].shape[-1] == _COLOURS
