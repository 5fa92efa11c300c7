"""From RGB bytes to what a model takes: resize, then normalise."""

import numpy as np

# Mean and spread of each channel of ImageNet's pictures, scaled to 0 to 1: what the default family was trained with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def resize_image(image, size):
    """Resizes one picture with PIL's antialiased bicubic filter; the aspect ratio is not kept.

    Args:
        image: uint8 array.
        size: (height, width).

    Shapes: (H, W, 3) -> (height, width, 3)
    """
    from PIL import Image

    height, width = size
    if image.shape[:2] == (height, width):
        return image
    return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def normalise(images, mean=IMAGENET_MEAN, std=IMAGENET_STD):
    """Scales bytes to 0 to 1, then to zero mean and unit spread per channel.

    Args:
        images: array with values from 0 to 255, channels last.
        mean, std: one number a channel.

    Shapes: (..., 3) -> float32 (..., 3)
    """
    scale = 1 / (255 * np.asarray(std, np.float32))
    offset = np.asarray(mean, np.float32) / np.asarray(std, np.float32)
    return np.asarray(images, np.float32) * scale - offset
