"""A random part of a picture, resized: the crop of Inception. Szegedy et al., arXiv 1409.4842."""

import math
from dataclasses import dataclass

ATTEMPTS = 10


@dataclass(frozen=True)
class RandomResizedCrop:
    """Cuts out a part of random area and aspect and resizes it, antialiased.

    Args:
        size: (height, width) of what comes out.
        scale: (least, most) share of the picture's area.
        ratio: (least, most) width over height of the part; drawn evenly on a logarithmic scale.
        interpolation: "bicubic", "bilinear" or another of PIL's filters.

    Source: torchvision's and timm's transform of the same name.
    """

    size: tuple
    scale: tuple = (0.08, 1.0)
    ratio: tuple = (3 / 4, 4 / 3)
    interpolation: str = "bicubic"

    def __call__(self, picture, generator):
        """A PIL picture of the size; `generator` is drawn from in a fixed order."""
        from PIL import Image

        width, height = picture.size
        top, left, box_height, box_width = crop_box(height, width, self.scale, self.ratio, generator)
        part = picture.crop((left, top, left + box_width, top + box_height))
        return part.resize(self.size[::-1], Image.Resampling[self.interpolation.upper()])


def crop_box(height, width, scale, ratio, generator):
    """(top, left, height, width) of a random part that lies inside; the centre where ten attempts find none."""
    for _ in range(ATTEMPTS):
        area = generator.uniform(*scale) * height * width
        aspect = math.exp(generator.uniform(math.log(ratio[0]), math.log(ratio[1])))
        box_width = round(math.sqrt(area * aspect))
        box_height = round(math.sqrt(area / aspect))
        if 0 < box_width <= width and 0 < box_height <= height:
            top = int(generator.integers(height - box_height + 1))
            left = int(generator.integers(width - box_width + 1))
            return top, left, box_height, box_width
    return _center_box(height, width, ratio)


def _center_box(height, width, ratio):
    """The largest part in the middle whose aspect is allowed."""
    box_height, box_width = height, width
    if width / height < ratio[0]:
        box_height = max(1, round(width / ratio[0]))
    elif width / height > ratio[1]:
        box_width = max(1, round(height * ratio[1]))
    return (height - box_height) // 2, (width - box_width) // 2, box_height, box_width
