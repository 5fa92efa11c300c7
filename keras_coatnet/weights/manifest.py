"""Trained weights by name: the rows of weights_manifest.json. Its schema is weights_manifest.schema.json beside it.

This module and what it imports do without Keras, so that a download costs no start of a backend.
"""

import dataclasses
import difflib
import fnmatch
import json
import math
import os
from pathlib import Path

from keras_coatnet.images.preprocess import Preprocessing
from keras_coatnet.weights.manifest_check import check_manifest

MANIFEST_VARIABLE = "KERAS_COATNET_MANIFEST"
# `pretrained="imagenet"` means a variant's default row, whatever its tag.
DEFAULT_TAG = "imagenet"


@dataclasses.dataclass(frozen=True)
class WeightFile:
    """One address of a row's weights.

    Args:
        url: where the file lies.
        file: its name in the cache and in a mirror.
        format: "legacy_h5", "safetensors", "torch" or "keras_v3".
        size: in bytes; None where nothing public says it, as for the hashes.
        sha256, sha256_prefix, md5: of the whole file, in hexadecimal.
    """

    url: str
    file: str
    format: str
    size: int | None = None
    sha256: str | None = None
    sha256_prefix: str | None = None
    md5: str | None = None

    @property
    def has_hash(self):
        return bool(self.sha256 or self.sha256_prefix or self.md5)


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """Published top-1 and top-5 in percent, at `input_size`, by `source`.

    On ImageNet-1k's validation images, or Tiny-ImageNet's for what was trained on that.
    """

    input_size: int
    top1: float
    source: str
    top5: float | None = None


@dataclasses.dataclass(frozen=True)
class ManifestRow:
    """One checkpoint that `pretrained=` can name.

    Args:
        variant: name of the architecture.
        tag: which training the weights are from.
        input_size: side of the square images that they were made for.
        num_classes: outputs of the classifier.
        source: whose names and layout the file has: "kecam", "timm" or "keras".
        files: `WeightFile` of each address, in the order they are tried.
        preprocessing: `Preprocessing`.
        default: whether the tag "imagenet" means this row.
        labels: name of the list of classes, None if it is unknown.
        trained_on: data, in words.
        accuracy: `Accuracy` of each published figure.
        licence, licence_note: as the origin states it.
    """

    variant: str
    tag: str
    input_size: int
    num_classes: int
    source: str
    files: tuple
    preprocessing: Preprocessing
    default: bool = False
    labels: str | None = None
    trained_on: str | None = None
    accuracy: tuple = ()
    licence: str | None = None
    licence_note: str | None = None

    @property
    def name(self):
        """What users write: "coatnet_0_rw.sw_in1k"."""
        return f"{self.variant}.{self.tag}"

    @property
    def key(self):
        return self.variant, self.tag, self.input_size


def row_from_json(entry):
    """The `ManifestRow` of one object of a manifest file."""
    return ManifestRow(
        **{
            **entry,
            "files": tuple(WeightFile(**file) for file in entry["files"]),
            "preprocessing": Preprocessing(**entry["preprocessing"]),
            "accuracy": tuple(Accuracy(**figures) for figures in entry.get("accuracy", ())),
        }
    )


def shipped_manifest():
    """Path of the manifest of this package: beside the code in a wheel, at the top of a checkout."""
    package = Path(__file__).parents[1]
    beside = package / "weights_manifest.json"
    return beside if beside.is_file() else package.parent / "weights_manifest.json"


def load_manifest():
    """All rows: those of the file that KERAS_COATNET_MANIFEST names, then the shipped ones that it does not replace.

    A row replaces the shipped one of the same variant, tag and input_size.

    Raises: ValueError for a file that is no manifest, with the rows and fields that are wrong; FileNotFoundError.
    """
    shipped = tuple(map(row_from_json, json.loads(shipped_manifest().read_text(encoding="utf-8"))))
    path = os.environ.get(MANIFEST_VARIABLE)
    if not path:
        return shipped
    own = tuple(map(row_from_json, check_manifest(os.path.expanduser(path), f"{MANIFEST_VARIABLE} {path}")))
    replaced = {row.key for row in own}
    return own + tuple(row for row in shipped if row.key not in replaced)


def list_pretrained(pattern="*"):
    """Rows of the manifest whose variant, or variant and tag, match a shell pattern.

    Args:
        pattern: such as "coatnet_0*", "*.sw_in12k" or "coatnet_2_rw.sw_in12k".

    Returns: list of `ManifestRow`.
    """
    return [row for row in load_manifest() if any(fnmatch.fnmatchcase(n, pattern) for n in (row.name, row.variant))]


def find_rows(variant, tag):
    """The rows of a variant and a tag, one a size.

    Args:
        variant: name of the architecture.
        tag: such as "sw_in12k"; "imagenet" is the variant's default among those with ImageNet-1k classes.

    Raises: ValueError for an unknown tag, with the known ones, or a variant without weights.
    """
    rows = [row for row in load_manifest() if row.variant == variant]
    if not rows:
        raise ValueError(
            f"There are no trained weights for {variant}, so pretrained={tag!r} cannot be had; "
            "list_pretrained() names all there are."
        )
    found = [row for row in rows if row.tag == tag]
    if not found and tag == DEFAULT_TAG:
        defaults = [row for row in rows if row.default]
        # Rows of a user's own manifest come first: their default wins over the shipped one.
        found = [row for row in defaults if row.tag == defaults[0].tag]
    if found:
        return found
    known = list(dict.fromkeys(row.tag for row in rows))
    if tag == DEFAULT_TAG:
        raise ValueError(f"{variant} has no ImageNet-1k weights; its tags: {', '.join(known)}.")
    names = list(dict.fromkeys([*known, DEFAULT_TAG])) if any(row.default for row in rows) else known
    nearest = difflib.get_close_matches(str(tag), names, n=1) if len(names) > 1 else []
    hint = f" Nearest: {nearest[0]}." if nearest else ""
    raise ValueError(f"{variant} has no weights with the tag {tag!r}; known: {', '.join(names)}.{hint}")


def nearest_row(rows, side):
    """The row made for the size nearest to the asked one; a tie takes the larger.

    Args:
        rows: of one variant and tag.
        side: of the images in pixels; (H, W) counts as the square of the same area, since the area sets how many
            positions attend to each other; None, or None in (H, W), is a size left open and takes the largest row.

    Raises: ValueError without rows.
    """
    if not rows:
        raise ValueError("nearest_row needs at least one row; got none.")
    sides = (side,) if side is None or isinstance(side, int) else tuple(side)
    if None in sides:
        return max(rows, key=lambda row: row.input_size)
    asked = math.prod(sides) ** (1 / len(sides))
    return min(rows, key=lambda row: (abs(row.input_size - asked), -row.input_size))
