"""Make tests/goldens/preprocessing: what the peers' own evaluation transforms make of one photograph's parts.

Run it once for each peer, in an environment that has the peer:

    python scripts/make_preprocessing_goldens.py --peer timm
    python scripts/make_preprocessing_goldens.py --peer kecam

With pictures (--pictures a.jpg b.png --sizes 224x224 160x256) it writes the peer's results for those, whole, to
OUT.npz instead, keyed FILE|CASE|SIZE: for a comparison that is too large to keep.

`photo.png` is a part of "Chelsea" by Stéfan van der Walt (CC0), of scikit-image. `cases.json` lists the parts of it
(rows, columns, transposed) and the cases, each with the fields of a `Preprocessing`.
"""

import argparse
import json
import pathlib

import numpy as np
from PIL import Image

GOLDENS = pathlib.Path(__file__).resolve().parents[1] / "tests" / "goldens" / "preprocessing"
HALF = (0.5, 0.5, 0.5)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# Odd, tiny, thin, upright and square parts of the photograph.
PARTS = {
    "landscape": {"rows": [0, 113], "columns": [0, 150], "transposed": False},
    "portrait": {"rows": [0, 113], "columns": [0, 150], "transposed": True},
    "square": {"rows": [10, 74], "columns": [20, 84], "transposed": False},
    "tiny": {"rows": [50, 55], "columns": [60, 67], "transposed": False},
    "thin": {"rows": [40, 41], "columns": [0, 150], "transposed": False},
    "pixel": {"rows": [70, 71], "columns": [90, 91], "transposed": False},
}


def case(peer, size, mean, std, crop, crop_mode="center", interpolation="bicubic"):
    order = {"timm": "resize_then_crop", "kecam": "crop_then_resize"}[peer]
    preprocessing = {"mean": mean, "std": std, "crop": crop, "crop_mode": crop_mode, "order": order}
    return {"peer": peer, "size": size, "preprocessing": {**preprocessing, "interpolation": interpolation}}


CASES = {
    "timm_center_0.95": case("timm", (24, 24), HALF, HALF, 0.95),
    "timm_center_0.9_imagenet": case("timm", (20, 20), IMAGENET_MEAN, IMAGENET_STD, 0.9),
    "timm_center_not_square": case("timm", (16, 28), HALF, HALF, 0.95),
    "timm_squash_1.0": case("timm", (24, 24), HALF, HALF, 1.0, "squash"),
    "timm_squash_not_square": case("timm", (28, 16), IMAGENET_MEAN, IMAGENET_STD, 0.9, "squash"),
    "timm_bilinear": case("timm", (20, 20), HALF, HALF, 0.875, interpolation="bilinear"),
    "kecam_0.95": case("kecam", (16, 16), IMAGENET_MEAN, IMAGENET_STD, 0.95),
    "kecam_not_square": case("kecam", (12, 20), IMAGENET_MEAN, IMAGENET_STD, 0.95),
    "kecam_whole": case("kecam", (16, 12), IMAGENET_MEAN, IMAGENET_STD, 1.0, "squash"),
    "kecam_bilinear": case("kecam", (12, 12), IMAGENET_MEAN, IMAGENET_STD, 0.95, interpolation="bilinear"),
}


def timm_answer(picture, size, preprocessing):
    from peers import timm_peer  # noqa: F401 (makes torchvision importable)
    from timm.data import create_transform

    transform = create_transform(
        input_size=(3, *size),
        is_training=False,
        interpolation=preprocessing["interpolation"],
        mean=preprocessing["mean"],
        std=preprocessing["std"],
        crop_pct=preprocessing["crop"],
        crop_mode=preprocessing["crop_mode"],
    )
    return transform(Image.fromarray(picture)).permute(1, 2, 0).numpy()


def kecam_answer(picture, size, preprocessing):
    import tensorflow as tf
    from keras_cv_attention_models.common_layers import init_mean_std_by_rescale_mode
    from keras_cv_attention_models.imagenet.tf_data import evaluation_process_crop_resize

    # Its way to say "no crop, both sides straight to the size" is a crop of -1.
    crop = -1 if preprocessing["crop_mode"] == "squash" else preprocessing["crop"]
    method = preprocessing["interpolation"]
    resized = evaluation_process_crop_resize(tf.constant(picture), size, crop, resize_method=method, antialias=True)
    mean, std = init_mean_std_by_rescale_mode("torch")
    return ((resized - mean) / std).numpy()


ANSWERS = {"timm": timm_answer, "kecam": kecam_answer}


def part_of(photo, rows, columns, transposed):
    part = photo[slice(*rows), slice(*columns)]
    return np.ascontiguousarray(part.swapaxes(0, 1) if transposed else part)


def takes(fields, record):
    """keras_cv_attention_models fails on a picture so thin that its crop has no pixel left."""
    short = min(end - start for start, end in (fields["rows"], fields["columns"]))
    return record["peer"] == "timm" or int(record["preprocessing"]["crop"] * short) > 0


def write_goldens(peer):
    photo = np.array(Image.open(GOLDENS / "photo.png"))
    answers = {
        f"{part}|{name}": ANSWERS[peer](part_of(photo, **fields), record["size"], record["preprocessing"])
        for part, fields in PARTS.items()
        for name, record in CASES.items()
        if record["peer"] == peer and takes(fields, record)
    }
    np.savez_compressed(GOLDENS / f"{peer}.npz", **answers)
    (GOLDENS / "cases.json").write_text(json.dumps({"parts": PARTS, "cases": CASES}, indent=1) + "\n")
    print(f"{peer}: {len(answers)} answers, {(GOLDENS / f'{peer}.npz').stat().st_size:,} bytes")


def write_answers_for(peer, pictures, sizes, target):
    answers = {}
    for file in pictures:
        picture = np.array(Image.open(file).convert("RGB"))
        for name, record in CASES.items():
            for size in sizes if record["peer"] == peer else ():
                key = f"{file}|{name}|{size[0]}x{size[1]}"
                answers[key] = ANSWERS[peer](picture, size, record["preprocessing"])
    np.savez(target, **answers)
    print(f"{target}: {len(answers)} answers of {peer}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", choices=ANSWERS, required=True)
    parser.add_argument("--pictures", nargs="+", default=[])
    parser.add_argument("--sizes", nargs="+", default=["224x224"])
    parser.add_argument("--out", default="OUT.npz")
    options = parser.parse_args()
    if options.pictures:
        sizes = [tuple(map(int, size.split("x"))) for size in options.sizes]
        write_answers_for(options.peer, options.pictures, sizes, options.out)
    else:
        write_goldens(options.peer)


if __name__ == "__main__":
    main()
