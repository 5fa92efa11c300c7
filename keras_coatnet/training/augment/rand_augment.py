"""RandAugment: a few operations drawn at random, all at one magnitude. Cubuk et al., arXiv 1909.13719."""

import math
from dataclasses import dataclass

from keras_coatnet.training.augment.operations import OPERATIONS, apply_operation

_ALWAYS = ("AutoContrast", "Equalize", "Invert", "Rotate")
_MOVING = ("ShearX", "ShearY", "TranslateXRel", "TranslateYRel")
# Fifteen each. Cutout, which Google's list also has, is left to random erasing, as in timm.
OPERATION_SETS = {
    "original": (
        *_ALWAYS,
        *("Posterize", "Solarize", "SolarizeAdd", "Color", "Contrast", "Brightness", "Sharpness"),
        *_MOVING,
    ),
    "increasing": (
        *_ALWAYS,
        *("PosterizeIncreasing", "SolarizeIncreasing", "SolarizeAdd", "ColorIncreasing", "ContrastIncreasing"),
        *("BrightnessIncreasing", "SharpnessIncreasing"),
        *_MOVING,
    ),
}


@dataclass(frozen=True)
class RandAugment:
    """Draws operations, with replacement, and applies each by chance.

    Args:
        layers: operations a picture.
        magnitude: 0 to 10 spans each operation's published range.
        std: spread of the magnitude, drawn anew for each operation; infinite draws it evenly from 0 to `magnitude`.
        limit: the magnitude is cut to at most this; None lets it go on, as Google's code does.
        probability: of each drawn operation to be applied.
        operations: key of `OPERATION_SETS`: "increasing" ones do more the higher the magnitude, some of the
            "original" ones less.
        resample: "bicubic" or "bilinear".
        fill: colour of what comes in from outside.

    Source: timm's `RandAugment`; a magnitude above 10 behaves as 10 there and in keras_cv_attention_models.
    """

    layers: int = 2
    magnitude: float = 9.0
    std: float = 0.0
    limit: float | None = 10.0
    probability: float = 0.5
    operations: str = "increasing"
    resample: str = "bicubic"
    fill: tuple = (128, 128, 128)

    def __call__(self, picture, generator):
        """A changed PIL picture; `generator` is drawn from in a fixed order."""
        names = OPERATION_SETS[self.operations]
        for index in generator.integers(len(names), size=self.layers):
            picture = apply_by_chance(self, names[index], self.probability, self.magnitude, picture, generator)
        return picture


def apply_by_chance(settings, name, probability, magnitude, picture, generator):
    """One operation or none, at a magnitude drawn around the one given.

    Args:
        settings: anything with `std`, `limit`, `resample` and `fill`.
        name: key of `OPERATIONS`.
        probability: of its being applied.
        magnitude: the one to draw around.
        picture: PIL picture.
        generator: `numpy.random.Generator`.
    """
    if probability < 1 and generator.random() >= probability:
        return picture
    magnitude = draw_magnitude(magnitude, settings.std, settings.limit, generator)
    negative = OPERATIONS[name].signed and generator.random() < 0.5
    return apply_operation(name, picture, magnitude, negative=negative, resample=settings.resample, fill=settings.fill)


def draw_magnitude(magnitude, std, limit, generator):
    """A magnitude from 0 to `limit`; see `RandAugment`."""
    if math.isinf(std):
        magnitude = generator.uniform(0, magnitude)
    elif std > 0:
        magnitude = generator.normal(magnitude, std)
    return max(0.0, magnitude if limit is None else min(magnitude, limit))
