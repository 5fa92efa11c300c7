"""Make tests/goldens/augment: what timm's own augmentation operations make of a part of one photograph.

Run it in an environment that has timm:

    python scripts/make_augmentation_goldens.py

`operations.npz` holds, for each operation, magnitude and sign, timm's picture (key OPERATION|MAGNITUDE|SIGN);
`policies.json` holds timm's tables of operations and policies. The photograph is that of tests/goldens/preprocessing.
"""

import json
import pathlib
import random
from unittest import mock

import numpy as np
from peers import timm_peer  # noqa: F401 (makes torchvision importable)
from PIL import Image
from timm.data import auto_augment

GOLDENS = pathlib.Path(__file__).resolve().parents[1] / "tests" / "goldens"
PART = (slice(20, 38), slice(40, 63))  # rows, columns
MAGNITUDES = (0, 3, 7.5, 10, 15)
FILL = (124, 116, 104)
POSITION_IN_PIXELS = ("TranslateX", "TranslateY")  # ours are relative to the picture
OF_OTHER_SETS = ("Desaturate", "GaussianBlur", "GaussianBlurRand")


def main():
    photo = np.array(Image.open(GOLDENS / "preprocessing" / "photo.png"))[PART]
    names = [name for name in auto_augment.LEVEL_TO_ARG if name not in (*POSITION_IN_PIXELS, *OF_OTHER_SETS)]
    answers = {"picture": photo}
    for name in names:
        for magnitude in MAGNITUDES if auto_augment.LEVEL_TO_ARG[name] else (0,):
            for sign, draw in (("plus", 0.0), ("minus", 1.0)):
                answer = apply(name, magnitude, draw, photo)
                if answer is not None and (sign == "plus" or signed(name, magnitude)):
                    answers[f"{name}|{magnitude:g}|{sign}"] = answer
    folder = GOLDENS / "augment"
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / "operations.npz", **answers)
    tables = {
        "sets": {"original": auto_augment._RAND_TRANSFORMS, "increasing": auto_augment._RAND_INCREASING_TRANSFORMS},
        "policies": {name: policy(name) for name in ("original", "v0")},
    }
    (folder / "policies.json").write_text(json.dumps(tables, indent=1) + "\n")
    print(f"{len(answers) - 1} answers, {(folder / 'operations.npz').stat().st_size:,} bytes")


def apply(name, magnitude, draw, photo):
    """timm's picture; None where it fails (its posterize with no bit, on a newer PIL)."""
    settings = {"magnitude_max": 100, "img_mean": FILL, "interpolation": Image.Resampling.BICUBIC}
    operation = auto_augment.AugmentOp(name, prob=1.0, magnitude=magnitude, hparams=settings)
    with mock.patch.object(random, "random", return_value=draw):
        try:
            return np.array(operation(Image.fromarray(photo)))
        except ValueError:
            return None


def signed(name, magnitude):
    """Whether timm's argument changes with the draw."""
    function = auto_augment.LEVEL_TO_ARG[name]
    if function is None:
        return False
    with mock.patch.object(random, "random", return_value=0.0):
        plus = function(magnitude, {})
    with mock.patch.object(random, "random", return_value=1.0):
        return function(magnitude, {}) != plus


def policy(name):
    pairs = auto_augment.auto_augment_policy(name)
    return [[(each.name, each.prob, each.magnitude) for each in pair] for pair in pairs]


if __name__ == "__main__":
    main()
