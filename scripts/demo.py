"""Names photographs with the small model that comes with the package, then trains one on handwritten digits.

All by the package's own commands; what the models answer is drawn.

Run by scripts/demo. Everything is written under out/demo.
"""

import os
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import keras_coatnet as kc
from keras_coatnet.cli.main import main as keras_coatnet
from keras_coatnet.deploy.photographs import FOLDER as PHOTOGRAPHS

OUT = Path("out/demo")
MODEL = "test_coatnet"  # timm's smallest: C-C-T-T, 0.45 M parameters
SIDE = 32
EPOCHS = 15
# The recipe is for photographs: a mirrored digit is none, and half of one may be another.
CHANGES = "--learning-rate 2e-3 --set flip=0 --set crop_scale=(0.7,1) --set layer_decay=1 --set rand_augment_layers=0"
EXPECTED_ACCURACY = 0.97
# Comes with the package. Photographs show more at 128 pixels a side than at the 64 that it learned from.
SHIPPED = {"name": "coatnet_tiny64", "pretrained": "tiny-imagenet", "input_shape": (128, 128, 3)}
GUESSES = 3
SHOWN = 60


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    name_photographs(sorted(os.path.relpath(path) for path in PHOTOGRAPHS.glob("*.jpg")))
    write_digits(OUT / "digits")
    run(f"train --data {OUT}/digits --model {MODEL} --image-size {SIDE} --epochs {EPOCHS} {CHANGES} --out {OUT}/run")
    run(f"evaluate --data {OUT}/digits --weights {OUT}/run/model.weights.h5")
    first_of_each = sorted(str(next(iter(sorted(folder.glob("*.png"))))) for folder in (OUT / "digits/val").iterdir())
    run(f"predict {shlex.join(first_of_each)} --model {OUT}/run/model.keras --top 2")
    accuracy = draw_predictions(OUT / "digits.png")
    print(f"pictures: {OUT}/photographs.png {OUT}/digits.png")
    if accuracy < EXPECTED_ACCURACY:
        sys.exit(f"accuracy on held-out images is {accuracy:.2%}, expected at least {EXPECTED_ACCURACY:.0%}")


def run(command):
    """Shows and runs one command line of the package."""
    print(f"\n$ keras-coatnet {command}")
    code = keras_coatnet(shlex.split(command))
    if code:
        sys.exit(code)


def name_photographs(files):
    """Shows and draws what the small model says of photographs."""
    model = kc.build(**SHIPPED)
    model.save(OUT / "photographs.keras")
    run(f"predict {shlex.join(files)} --model {OUT}/photographs.keras --top {GUESSES}")
    draw_photographs(OUT / "photographs.png", files, kc.predict(model, files, top=GUESSES))


def draw_photographs(target, files, answers):
    """Draws photographs and, below each, what it was taken for."""
    from matplotlib.figure import Figure  # without pyplot no display and no backend of the user's is asked for

    figure = Figure(figsize=(3 * len(files), 4), layout="constrained")
    axes = figure.subplots(2, len(files), height_ratios=(3, 1))
    for picture, bars, file, guesses in zip(*axes, files, answers, strict=True):
        picture.imshow(Image.open(file))
        picture.set_anchor("S")
        places = range(len(guesses))
        bars.barh(places, [guess.probability for guess in guesses], color="lightsteelblue")
        for place, guess in zip(places, guesses, strict=True):
            bars.text(0.01, place, f"{guess.label.partition(',')[0]} {guess.probability:.0%}", va="center")
        bars.invert_yaxis()
        bars.set_xlim(0, 1)
    for axis in figure.axes:
        axis.set_axis_off()
    save(figure, target)


def write_digits(folder):
    """scikit-learn's 1,797 digits, enlarged from 8 x 8, as train/ and val/ with a folder a digit."""
    digits = load_digits()
    train, held_out = train_test_split(
        np.arange(len(digits.target)), test_size=0.2, stratify=digits.target, random_state=0
    )
    for part, indices in (("train", train), ("val", held_out)):
        for index in indices:
            picture = Image.fromarray(np.uint8(digits.images[index] * (255 / 16)))
            target = folder / part / str(digits.target[index]) / f"{index:04}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(target)


def draw_predictions(target):
    """Draws held-out digits with what the reloaded model takes them for, wrong ones first and in red.

    Returns: the accuracy on all held-out images.
    """
    import keras

    from keras_coatnet.images.labels import read_labels
    from keras_coatnet.prediction.predict import predict

    files = sorted((OUT / "digits/val").glob("*/*.png"), key=lambda file: file.name)
    model = keras.models.load_model(OUT / "run/model.keras", compile=False)
    guesses = [best for (best,) in predict(model, files, top=1, labels=read_labels(OUT / "run/classes.json"))]
    wrong = [guess.label != file.parent.name for guess, file in zip(guesses, files, strict=True)]
    print(f"\nreloaded model: {len(files) - sum(wrong)} of {len(files)} held-out digits right, {sum(wrong)} wrong")
    shown = sorted(range(len(files)), key=lambda index: not wrong[index])[:SHOWN]
    draw_grid(target, [(files[index], guesses[index], wrong[index]) for index in shown])
    return 1 - sum(wrong) / len(files)


def draw_grid(target, rows, columns=12):
    from matplotlib.figure import Figure  # without pyplot no display and no backend of the user's is asked for

    lines = -(-len(rows) // columns)
    figure = Figure(figsize=(columns, 1.3 * lines + 0.5), layout="constrained")
    figure.suptitle("Held-out digits and what CoAtNet takes them for (red: wrong)")
    for axis, row in zip(figure.subplots(lines, columns).flat, rows, strict=False):
        file, guess, wrong = row
        axis.imshow(Image.open(file), cmap="gray_r")
        title = f"{guess.label}, is {file.parent.name}" if wrong else f"{guess.label} ({guess.probability:.0%})"
        axis.set_title(title, color="red" if wrong else "black", fontsize=9)
    for axis in figure.axes:
        axis.set_axis_off()
    save(figure, target)


def save(figure, target):
    """Writes a whole picture or none."""
    part = target.with_name(f".{target.name}")
    figure.savefig(part, format="png", dpi=100)
    os.replace(part, target)


if __name__ == "__main__":
    main()
