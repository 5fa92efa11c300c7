"""From RGB bytes to what a checkpoint takes: resize and crop in its order, then normalise."""

import dataclasses
import difflib
import math

import numpy as np

from keras_coatnet.images.resize import UNROUNDED_INTERPOLATIONS, resize_image, resize_unrounded

# Mean and spread of each channel of ImageNet's pictures, scaled to 0 to 1: what the default family was trained with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

RESIZE_FIRST, CROP_FIRST = "resize_then_crop", "crop_then_resize"
CENTER, SQUASH = "center", "squash"
PIL_INTERPOLATIONS = ("bicubic", "bilinear", "lanczos", "hamming", "box", "nearest")
# A picture of 1 x 65,535 pixels is legal, and 3.6 billion pixels once its short side is enlarged to 235. Above this
# only the window that is kept is enlarged: the same filter, but the last bit of its weights may differ.
LARGEST_ENLARGEMENT = 2**26


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """How pictures become the input of a checkpoint.

    Args:
        mean, std: one number a channel, for values from 0 to 1.
        crop: share of the sides that is kept, above 0, at most 1.
        crop_mode: "center" keeps the aspect ratio and loses the ends of the longer side; "squash" loses the aspect
            ratio and keeps both.
        order: "resize_then_crop", timm's, with PIL's filters and bytes in between; or "crop_then_resize",
            keras_cv_attention_models', in floats. Its center crop is a square, whatever the aspect of the input.
        interpolation: "bicubic" or "bilinear"; resizing first also "lanczos", "hamming", "box" or "nearest".

    Raises: ValueError for anything else.
    """

    mean: tuple = IMAGENET_MEAN
    std: tuple = IMAGENET_STD
    crop: float = 1.0
    crop_mode: str = CENTER
    order: str = RESIZE_FIRST
    interpolation: str = "bicubic"

    def __post_init__(self):
        for name in ("mean", "std"):
            object.__setattr__(self, name, _three_numbers(name, getattr(self, name)))
        if min(self.std) <= 0:
            raise ValueError(f"std must be above 0 in every channel; got {self.std}.")
        if not 0 < self.crop <= 1:
            raise ValueError(f"crop must be above 0 and at most 1; got {self.crop!r}.")
        _one_of("crop_mode", self.crop_mode, (CENTER, SQUASH))
        _one_of("order", self.order, (RESIZE_FIRST, CROP_FIRST))
        known = PIL_INTERPOLATIONS if self.order == RESIZE_FIRST else UNROUNDED_INTERPOLATIONS
        _one_of(f"interpolation with {self.order}", self.interpolation, known)


def _three_numbers(name, values):
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{name} must be three finite numbers, one a channel; got {values!r}.")
    return numbers


def _one_of(name, value, allowed):
    if value not in allowed:
        nearest = difflib.get_close_matches(str(value), allowed, n=1)
        hint = f" Nearest: {nearest[0]!r}." if nearest else ""
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}.{hint}")


# Of models that say nothing of their own: how the weights of the default family were evaluated.
DEFAULT_PREPROCESSING = Preprocessing(IMAGENET_MEAN, IMAGENET_STD, crop=0.95, order=CROP_FIRST)


def preprocess(picture, preprocessing, size):
    """Makes one picture ready for a checkpoint.

    Args:
        picture: uint8 RGB array, or floats from 0 to 255.
        preprocessing: `Preprocessing`, or anything with its fields.
        size: (height, width) of the model's input.

    Shapes: (H, W, 3) -> float32 (height, width, 3)

    Source: timm's `create_transform` and keras_cv_attention_models' `evaluation`, each to 1e-6.
    """
    if preprocessing.order == CROP_FIRST:
        cropped = _crop_original(picture, preprocessing)
        resized = resize_unrounded(cropped, size, preprocessing.interpolation)
    else:
        resized = _resize_then_crop(picture, preprocessing, size)
    return normalise(resized, preprocessing.mean, preprocessing.std)


def normalise(images, mean=IMAGENET_MEAN, std=IMAGENET_STD):
    """Scales bytes to 0 to 1, then to zero mean and unit spread per channel, in the order of torchvision.

    Args:
        images: array with values from 0 to 255, channels last.
        mean, std: one number a channel.

    Shapes: (..., 3) -> float32 (..., 3)
    """
    scaled = np.asarray(images, np.float32) / np.float32(255)
    scaled -= np.asarray(mean, np.float32)
    scaled /= np.asarray(std, np.float32)
    return scaled


def seen_window(sides, preprocessing, size):
    """The part of a picture that is left once it is made ready for a checkpoint.

    Args:
        sides: (height, width) of the picture.
        preprocessing, size: see `preprocess`.

    Returns: (top, left, bottom, right) in pixels of the picture, fractions of one too.
    """
    if preprocessing.order == CROP_FIRST:
        return _window_of_original(sides, preprocessing)
    enlarged, corner = _enlargement(sides, preprocessing, size)
    return _window(sides, enlarged, corner, size)


def _window_of_original(sides, preprocessing):
    """(top, left, bottom, right) in whole pixels."""
    height, width = sides
    if preprocessing.crop_mode == CENTER:
        height = width = min(height, width)
    # In 32-bit floats, as the peer multiplies; never less than a pixel, where the peer fails.
    kept = [max(1, int(np.float32(preprocessing.crop) * np.float32(side))) for side in (height, width)]
    top, left = ((side - part) // 2 for side, part in zip(sides, kept, strict=True))
    return top, left, top + kept[0], left + kept[1]


def _crop_original(picture, preprocessing):
    top, left, bottom, right = _window_of_original(picture.shape[:2], preprocessing)
    return picture[top:bottom, left:right]


def _enlargement(sides, preprocessing, size):
    """((height, width) that a picture is resized to, (top, left) of what is kept of it)."""
    enlarged = tuple(math.floor(side / preprocessing.crop) for side in size)
    if preprocessing.crop_mode == CENTER:
        enlarged = _cover(sides, enlarged)
    # Python rounds halves to the even number, and so do the peers.
    return enlarged, tuple(round((side - part) / 2) for side, part in zip(enlarged, size, strict=True))


def _resize_then_crop(picture, preprocessing, size):
    enlarged, (top, left) = _enlargement(picture.shape[:2], preprocessing, size)
    if math.prod(enlarged) > LARGEST_ENLARGEMENT:
        window = _window(picture.shape[:2], enlarged, (top, left), size)
        return resize_image(picture, size, preprocessing.interpolation, window)
    resized = resize_image(picture, enlarged, preprocessing.interpolation)
    return resized[top : top + size[0], left : left + size[1]]


def _cover(old, area):
    """The smallest size of the old aspect that covers an area; rounded down for a square, else to the nearest."""
    height, width = old
    if area[0] == area[1]:
        short, long = sorted(old)
        longer = int(area[0] * long / short)
        return (area[0], longer) if height <= width else (longer, area[0])
    ratio = min(height / area[0], width / area[1])
    return round(height / ratio), round(width / ratio)


def _window(old, enlarged, corner, size):
    """The part of the original that fills `size` pixels from `corner` on once all is enlarged."""
    steps = [before / after for before, after in zip(old, enlarged, strict=True)]
    top, left = (position * step for position, step in zip(corner, steps, strict=True))
    return top, left, top + size[0] * steps[0], left + size[1] * steps[1]
