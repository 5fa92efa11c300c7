"""The operations that RandAugment and AutoAugment choose from, each with its meaning of a magnitude from 0 to 10.

Source: timm's `auto_augment`, to the bit, which follows Google's EfficientNet code.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

FULL_SCALE = 10.0  # the magnitude at which an operation reaches the end of its published range


class Operation(NamedTuple):
    """One operation.

    Args:
        apply: (PIL picture, argument, resample filter, fill colour) -> PIL picture.
        argument: magnitude -> what `apply` takes; None where it takes nothing.
        signed: whether the argument goes either way.
        finish: the signed argument -> what `apply` takes.
    """

    apply: Callable
    argument: Callable | None = None
    signed: bool = False
    finish: Callable[[float], Any] | None = None


def apply_operation(name, picture, magnitude, *, negative=False, resample="bicubic", fill=(128, 128, 128)):
    """One operation at one magnitude.

    Args:
        name: key of `OPERATIONS`.
        picture: PIL picture in RGB.
        magnitude: 0 is the least in the operation's own count, 10 the end of its published range; more goes on.
        negative: turns, shears, shifts and "increasing" colours go the other way.
        resample: "bicubic" or "bilinear", where pixels move.
        fill: colour of what comes in from outside.

    Returns: PIL picture of the same size.
    """
    from PIL import Image

    operation = OPERATIONS[name]
    argument = None
    if operation.argument is not None:
        argument = operation.argument(magnitude)
        if operation.signed and negative:
            argument = -argument
        if operation.finish is not None:
            argument = operation.finish(argument)
    return operation.apply(picture, argument, Image.Resampling[resample.upper()], tuple(fill))


def _affine(picture, matrix, resample, fill):
    from PIL import Image

    return picture.transform(picture.size, Image.Transform.AFFINE, matrix, resample=resample, fillcolor=fill)


def _shear_x(picture, factor, resample, fill):
    return _affine(picture, (1, factor, 0, 0, 1, 0), resample, fill)


def _shear_y(picture, factor, resample, fill):
    return _affine(picture, (1, 0, 0, factor, 1, 0), resample, fill)


def _translate_x(picture, share, resample, fill):
    return _affine(picture, (1, 0, share * picture.size[0], 0, 1, 0), resample, fill)


def _translate_y(picture, share, resample, fill):
    return _affine(picture, (1, 0, 0, 0, 1, share * picture.size[1]), resample, fill)


def _rotate(picture, degrees, resample, fill):
    return picture.rotate(degrees, resample=resample, fillcolor=fill)


def _whole_picture(function):
    """An operation of `PIL.ImageOps` that takes nothing but the picture."""

    def apply(picture, argument, resample, fill):
        from PIL import ImageOps

        return getattr(ImageOps, function)(picture)

    return apply


def _enhancement(kind):
    """A factor of `PIL.ImageEnhance`; 1 changes nothing."""

    def apply(picture, factor, resample, fill):
        from PIL import ImageEnhance

        return getattr(ImageEnhance, kind)(picture).enhance(factor)

    return apply


def _posterize(picture, bits, resample, fill):
    # No bit at all is black; PIL's own posterize refuses that since version 12, and timm fails with it.
    mask = 256 - 2 ** (8 - min(8, max(0, bits)))
    return picture.point([value & mask for value in range(256)] * 3)


def _solarize(picture, threshold, resample, fill):
    from PIL import ImageOps

    return ImageOps.solarize(picture, threshold)


def _solarize_add(picture, amount, resample, fill):
    table = [min(255, value + amount) if value < 128 else value for value in range(256)]
    return picture.point(table * 3)


def _posterize_bits(magnitude):
    return int(magnitude / FULL_SCALE * 4)


def _solarize_threshold(magnitude):
    return min(256, int(magnitude / FULL_SCALE * 256))


def _factor(magnitude):
    return magnitude / FULL_SCALE * 1.8 + 0.1


def _share_of(range_end):
    return lambda magnitude: magnitude / FULL_SCALE * range_end


def _moving(apply, range_end):
    return Operation(apply, _share_of(range_end), signed=True)


def _increasing(kind):
    """Colour changes that begin at none and go either way; never below a tenth of the original."""
    return Operation(_enhancement(kind), _share_of(0.9), signed=True, finish=lambda change: max(0.1, 1.0 + change))


OPERATIONS = {
    "AutoContrast": Operation(_whole_picture("autocontrast")),
    "Equalize": Operation(_whole_picture("equalize")),
    "Invert": Operation(_whole_picture("invert")),
    "Rotate": _moving(_rotate, 30.0),
    # Bits that are kept: three countings are in use, two of which fall as the effect rises.
    "Posterize": Operation(_posterize, _posterize_bits),
    "PosterizeIncreasing": Operation(_posterize, lambda magnitude: 4 - _posterize_bits(magnitude)),
    "PosterizeOriginal": Operation(_posterize, lambda magnitude: _posterize_bits(magnitude) + 4),
    "Solarize": Operation(_solarize, _solarize_threshold),
    "SolarizeIncreasing": Operation(_solarize, lambda magnitude: 256 - _solarize_threshold(magnitude)),
    "SolarizeAdd": Operation(_solarize_add, lambda magnitude: min(128, int(magnitude / FULL_SCALE * 110))),
    "Color": Operation(_enhancement("Color"), _factor),
    "ColorIncreasing": _increasing("Color"),
    "Contrast": Operation(_enhancement("Contrast"), _factor),
    "ContrastIncreasing": _increasing("Contrast"),
    "Brightness": Operation(_enhancement("Brightness"), _factor),
    "BrightnessIncreasing": _increasing("Brightness"),
    "Sharpness": Operation(_enhancement("Sharpness"), _factor),
    "SharpnessIncreasing": _increasing("Sharpness"),
    "ShearX": _moving(_shear_x, 0.3),
    "ShearY": _moving(_shear_y, 0.3),
    "TranslateXRel": _moving(_translate_x, 0.45),
    "TranslateYRel": _moving(_translate_y, 0.45),
}
