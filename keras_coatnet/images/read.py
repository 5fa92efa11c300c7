"""Reads any picture a user has into an RGB array."""

from pathlib import Path

import numpy as np

_FORMATS = ("avif", "bmp", "gif", "heic", "heif", "jp2", "jpeg", "jpg", "pbm", "pgm", "png", "ppm", "tga", "tif")
IMAGE_SUFFIXES = frozenset(f".{name}" for name in (*_FORMATS, "tiff", "webp"))

# What PIL and its decoders raise on files that are cut short, mislabelled, too large or hold broken metadata.
_DECODING_ERRORS = (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, OverflowError, EOFError)


class UnreadableImage(ValueError):
    """A file that cannot be read as a picture; the message says which one and why."""


def read_image(path):
    """Reads one picture file.

    The first frame of an animation is taken, EXIF orientation is applied, transparent pixels are laid over white, and
    16-bit values are scaled to 8 bits.

    Args:
        path: path of a file in any format that the installed PIL knows.

    Shapes: a file of W x H pixels -> uint8 (H, W, 3), W and H swapped where EXIF says so.

    Raises:
        UnreadableImage: the file is missing, cut short, no picture, or larger than PIL's decompression-bomb limit.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            return to_rgb(picture)
    except UnreadableImage as error:
        raise UnreadableImage(f"{path}: {error}") from None
    except UnidentifiedImageError:
        raise UnreadableImage(f"{path}: {_why_unidentified(path)}") from None
    except Image.DecompressionBombError as error:
        raise UnreadableImage(f"{path}: {error}") from None
    except OSError as error:
        raise UnreadableImage(f"{path}: {error.strerror or error}") from None
    except _DECODING_ERRORS as error:
        raise UnreadableImage(f"{path}: broken picture ({type(error).__name__}: {error})") from error


def _why_unidentified(path):
    if Path(path).stat().st_size == 0:
        return "the file is empty"
    return "not a picture in a format that PIL knows"


def to_rgb(picture):
    """Turns a PIL picture of any mode into an RGB array, upright.

    Args:
        picture: `PIL.Image.Image`.

    Shapes: W x H pixels -> uint8 (H, W, 3), W and H swapped where EXIF says so.

    Raises:
        UnreadableImage: pixels without a known range (32-bit integers above 65,535, or floating point).
    """
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):
        return _from_16_bits(np.asarray(picture).astype(np.int64))
    if picture.mode == "F":
        raise UnreadableImage("floating-point pixels have no known range; save it with 8 or 16 bits a channel")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture)
    return np.array(picture.convert("RGB"))


def _from_16_bits(values):
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise UnreadableImage(
            f"32-bit pixels from {values.min()} to {values.max()}; integers must lie within 0 to 65535 (16 bits)"
        )
    gray = ((values + 128) // 257).astype(np.uint8)
    return np.repeat(gray[:, :, np.newaxis], 3, axis=2)  # (H, W) -> (H, W, 3)
