"""The pictures on which a file is compared with its model: the caller's, or four that come with the package."""

import dataclasses
import io
import os
from pathlib import Path

import numpy as np

from keras_coatnet.images.arrays import as_rgb
from keras_coatnet.images.read import IMAGE_SUFFIXES, ORIENTATION
from keras_coatnet.prediction.inputs import as_list

FOLDER = Path(__file__).with_name("photographs")
# Enough for the ranges of int8, and for comparing; more would only take time.
MOST_PICTURES = 256
JPEG_ENDINGS = (".jpg", ".jpeg")


@dataclasses.dataclass(frozen=True)
class Photograph:
    """One picture.

    Args:
        pixels: uint8 (H, W, 3).
        path: of the file it is from, or None.
    """

    pixels: np.ndarray
    path: str | None = None

    def encoded(self):
        """The picture as a file's bytes: its own where that is an upright JPEG, else a PNG, which loses nothing."""
        if self.path is not None and self.path.lower().endswith(JPEG_ENDINGS) and _is_upright(self.path):
            return Path(self.path).read_bytes()
        return as_png(self.pixels)


def as_png(pixels):
    """Bytes of a PNG file. Shapes: uint8 (H, W, 3)."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def open_photographs(representative=None):
    """Reads the pictures of a caller, or the package's own.

    Args:
        representative: folder (with all below it), picture, list of these, array of pictures, or None.

    Returns: list of `Photograph`, at most 256, evenly picked.
    Raises: ValueError for no pictures, or one that cannot be read.
    """
    if representative is None:
        representative = FOLDER
    sources = []
    for source in as_list(representative):
        is_folder = isinstance(source, (str, os.PathLike)) and os.path.isdir(source)
        sources += _pictures_in(source) if is_folder else [source]
    if not sources:
        raise ValueError("representative must hold pictures; got an empty list.")
    picked = np.unique(np.linspace(0, len(sources) - 1, min(len(sources), MOST_PICTURES)).round().astype(int))
    return [_photograph(sources[index]) for index in picked]


def _pictures_in(folder):
    files = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise ValueError(f"representative must hold pictures; there are none in {os.fspath(folder)}.")
    return [os.fspath(path) for path in files]


def _photograph(source):
    pixels = as_rgb(source)
    if pixels.dtype != np.uint8:
        pixels = np.round(pixels).astype(np.uint8)
    return Photograph(pixels, os.fspath(source) if isinstance(source, (str, os.PathLike)) else None)


def _is_upright(path):
    from PIL import Image

    with Image.open(path) as picture:
        return picture.format == "JPEG" and picture.getexif().get(ORIENTATION, 1) == 1
