"""Reads any picture a user has into an RGB array."""

import io
import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np

_FORMATS = ("avif", "bmp", "gif", "heic", "heif", "jp2", "jpeg", "jpg", "pbm", "pgm", "png", "ppm", "tga", "tif")
IMAGE_SUFFIXES = frozenset(f".{name}" for name in (*_FORMATS, "tiff", "webp"))

ORIENTATION = 0x0112  # the EXIF tag
PROGRAMS = ("EPS",)  # formats that PIL has another program draw


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
        UnreadableImage: the file is missing, empty, cut short, no picture, or larger than PIL's decompression-bomb
            limit.
    """
    with _naming(os.fspath(path)):
        # A pipe or a device would be waited for, and PIL needs to seek.
        if os.path.exists(path) and not os.path.isfile(path):
            raise UnreadableImage("is a folder" if os.path.isdir(path) else "is no regular file")
        return _decode(path, is_empty=lambda: Path(path).stat().st_size == 0)


def decode_image(data, name="image bytes"):
    """Reads one picture from the bytes of a file, as `read_image` reads the file.

    Args:
        data: bytes.
        name: of the picture, for messages.

    Shapes: W x H pixels -> uint8 (H, W, 3), W and H swapped where EXIF says so.

    Raises:
        UnreadableImage: as `read_image`.
    """
    with _naming(name):
        return _decode(io.BytesIO(data), is_empty=lambda: len(data) == 0)


@contextmanager
def _naming(name):
    """Makes whatever goes wrong inside one error that begins with the picture's name."""
    try:
        yield
    except UnreadableImage as error:
        raise UnreadableImage(f"{name}: {error}") from error.__cause__
    except OSError as error:
        raise UnreadableImage(f"{name}: {error.strerror or error}") from None
    # On broken files PIL's decoders raise nearly every kind of error there is.
    except Exception as error:
        raise UnreadableImage(f"{name}: broken picture ({type(error).__name__}: {error})") from error


def _decode(file, is_empty):
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as picture:
            if picture.format in PROGRAMS:
                raise UnreadableImage(f"{picture.format} is a drawing program, not a picture; save it as PNG or JPEG")
            return to_rgb(picture)
    except UnidentifiedImageError:
        reason = "the file is empty" if is_empty() else "not a picture in a format that PIL knows"
        raise UnreadableImage(reason) from None
    except Image.DecompressionBombError as error:
        raise UnreadableImage(str(error)) from None


def to_rgb(picture):
    """Turns a PIL picture of any mode into an RGB array, upright.

    Args:
        picture: `PIL.Image.Image`.

    Shapes: W x H pixels -> uint8 (H, W, 3), W and H swapped where EXIF says so.

    Raises:
        UnreadableImage: pixels without a known range (32-bit integers above 65,535, or floating point), or of a mode
            that PIL cannot turn into RGB.
    """
    from PIL import Image

    picture = _upright(picture)
    if picture.mode.startswith("I"):
        return _from_16_bits(np.asarray(picture).astype(np.int64))
    if picture.mode == "F":
        raise UnreadableImage("floating-point pixels have no known range; save it with 8 or 16 bits a channel")
    try:
        if picture.has_transparency_data:
            paper = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(paper, picture.convert("RGBA"))
        return np.array(picture.convert("RGB"))
    except ValueError:
        raise UnreadableImage(f"pixels of mode {picture.mode!r} cannot be turned into RGB") from None


def _upright(picture):
    from PIL import Image

    # Pixels first: with them some decoders have turned the picture already, and removed the tag.
    picture.load()
    try:
        orientation = picture.getexif().get(ORIENTATION)
    except Exception:  # damaged metadata raise anything; the pixels are there all the same
        return picture
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    return picture.transpose(turns[orientation]) if orientation in turns else picture


def _from_16_bits(values):
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise UnreadableImage(
            f"32-bit pixels from {values.min()} to {values.max()}; integers must lie within 0 to 65535 (16 bits)"
        )
    gray = ((values + 128) // 257).astype(np.uint8)
    return np.repeat(gray[:, :, np.newaxis], 3, axis=2)  # (H, W) -> (H, W, 3)
