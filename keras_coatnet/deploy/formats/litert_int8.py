"""Which operators of a LiteRT file compute in int8. What was measured to choose them: docs/int8.md."""

import dataclasses
import re

from keras_coatnet.deploy.formats.litert_operators import read_operators
from keras_coatnet.deploy.formats.litert_ranges import with_fitted_ranges

# A map is (batch, height, width, channels); behind the last one there are vectors.
_MAP_RANK = 4
_COLOURS = 3
# What a layer computes carries its path in its name, a number behind each part where a model was called again.
_DEPTHWISE = re.compile(r"([^;]+/)depthwise(?:_\d+)?/")
_SQUEEZE_EXCITE = re.compile(r"/squeeze_excite(?:_\d+)?/")
_SHORTCUT = re.compile(r"/shortcut(?:_\d+)?/")


def head(operators):
    """What is behind the last map."""
    maps = [index for index, operator in enumerate(operators) if operator.outputs[0].rank == _MAP_RANK]
    return operators[max(maps, default=-1) + 1 :]


def first_convolution(operators):
    """The one that reads the picture."""
    return [each for each in operators if each.name == "CONV_2D" and each.inputs[0].shape[-1] == _COLOURS]


def convolution_blocks(operators):
    """All of the blocks that hold a depthwise convolution."""
    paths = {path for each in operators for path in _DEPTHWISE.findall(each.outputs[0].name)}
    return [each for each in operators if any(path in each.outputs[0].name for path in paths)]


def squeeze_and_excitation(operators):
    return [each for each in operators if _SQUEEZE_EXCITE.search(each.outputs[0].name)]


def shortcuts(operators):
    return [each for each in operators if _SHORTCUT.search(each.outputs[0].name)]


@dataclasses.dataclass(frozen=True)
class Scheme:
    """What computes in int8; the rest stays in float32.

    Args:
        kinds: operators by the schema's name; None is all there are.
        without: functions that pick what does not of a file's operators.
    """

    kinds: tuple | None
    without: tuple


_PRODUCTS = ("FULLY_CONNECTED", "CONV_2D")
SCHEMES = {
    # Top-1 as in float on 99% of pictures: the linear maps of the transformer blocks, which hold nearly all weights of
    # a CoAtNet, and the second convolution of the stem, its largest.
    "int8": Scheme(_PRODUCTS, without=(head, first_convolution, convolution_blocks, shortcuts)),
    # The fastest on CPUs, 98.5%: all products but depthwise ones.
    "int8_fast": Scheme(_PRODUCTS, without=(head, squeeze_and_excitation)),
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
    if convolution_blocks in scheme.without and not has_attention(operators):
        scheme = SCHEMES["int8_fast"]
    staying = {each.outputs[0].name for pick in scheme.without for each in pick(operators)}
    return [
        each
        for each in operators
        if (scheme.kinds is None or each.name in scheme.kinds) and each.outputs[0].name not in staying
    ]


def has_attention(operators):
    return any(each.name == "SOFTMAX" and each.outputs[0].rank == _MAP_RANK for each in operators)
