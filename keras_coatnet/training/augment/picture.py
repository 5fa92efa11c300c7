"""One picture from the file to the array that a model is trained on."""

from dataclasses import dataclass

import numpy as np

from keras_coatnet.images.preprocess import IMAGENET_MEAN, IMAGENET_STD, normalise
from keras_coatnet.training.augment.auto_augment import AutoAugment
from keras_coatnet.training.augment.crop import RandomResizedCrop
from keras_coatnet.training.augment.erasing import RandomErasing
from keras_coatnet.training.augment.rand_augment import RandAugment


@dataclass(frozen=True)
class PictureAugmentation:
    """Crop, flip, RandAugment or AutoAugment, normalisation, erasing; in timm's order.

    Args:
        crop: `RandomResizedCrop`.
        flip: probability of left and right changing places.
        change: `RandAugment`, `AutoAugment` or None.
        erase: `RandomErasing` or None.
        mean, std: of each channel, for values from 0 to 1.
    """

    crop: RandomResizedCrop
    flip: float = 0.5
    change: RandAugment | AutoAugment | None = None
    erase: RandomErasing | None = None
    mean: tuple = IMAGENET_MEAN
    std: tuple = IMAGENET_STD

    def __call__(self, picture, generator):
        """What a model is trained on.

        Shapes: uint8 (H, W, 3), or floats from 0 to 255 -> float32 (height, width, 3)
        """
        augmented = normalise(np.asarray(self.colours(picture, generator)), self.mean, self.std)
        return augmented if self.erase is None else self.erase(augmented, generator)

    def colours(self, picture, generator):
        """All but normalisation and erasing: a PIL picture, as people look at it."""
        from PIL import Image

        # Floats are from 0 to 255 here; PIL's colour operations want bytes.
        picture = picture if picture.dtype == np.uint8 else np.rint(picture).astype(np.uint8)
        augmented = self.crop(Image.fromarray(picture), generator)
        if generator.random() < self.flip:
            augmented = augmented.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return augmented if self.change is None else self.change(augmented, generator)
