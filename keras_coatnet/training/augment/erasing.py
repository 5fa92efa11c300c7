"""Random erasing: a rectangle of a picture replaced by nothing or by noise. Zhong et al., arXiv 1708.04896."""

import math
from dataclasses import dataclass

import numpy as np

ATTEMPTS = 10
MODES = ("constant", "colour", "pixel")


@dataclass(frozen=True)
class RandomErasing:
    """Erases one rectangle of a normalised picture, by chance.

    Args:
        probability: of erasing at all.
        area: (least, most) share of the picture's area.
        aspect: (least, most) height over width; drawn evenly on a logarithmic scale.
        mode: what stands there afterwards: "constant" is the mean colour, "colour" one random colour, "pixel" noise.

    Source: timm's transform of the same name.
    """

    probability: float = 0.25
    area: tuple = (0.02, 1 / 3)
    aspect: tuple = (0.3, 1 / 0.3)
    mode: str = "pixel"

    def __call__(self, picture, generator):
        """Erases in place.

        Shapes: float32 (H, W, C), normalised to zero mean and unit spread -> the same array
        """
        if generator.random() >= self.probability:
            return picture
        box = erased_box(*picture.shape[:2], self.area, self.aspect, generator)
        if box is None:
            return picture
        top, left, height, width = box
        picture[top : top + height, left : left + width] = self._content(height, width, picture.shape[2], generator)
        return picture

    def _content(self, height, width, channels, generator):
        if self.mode == "constant":
            return 0.0
        shape = (1, 1, channels) if self.mode == "colour" else (height, width, channels)
        return generator.standard_normal(shape, np.float32)


def erased_box(height, width, area, aspect, generator):
    """(top, left, height, width) of a rectangle smaller than the picture on both sides; None if ten attempts fail."""
    for _ in range(ATTEMPTS):
        target = generator.uniform(*area) * height * width
        stretch = math.exp(generator.uniform(math.log(aspect[0]), math.log(aspect[1])))
        box_height, box_width = round(math.sqrt(target * stretch)), round(math.sqrt(target / stretch))
        if 0 < box_height < height and 0 < box_width < width:
            top = int(generator.integers(height - box_height + 1))
            left = int(generator.integers(width - box_width + 1))
            return top, left, box_height, box_width
    return None
