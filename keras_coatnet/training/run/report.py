"""What a finished run shows: curves, the confusion matrix and a table of classes, as CSV and as pictures."""

import csv
import importlib.util
import logging
from pathlib import Path

import numpy as np

from keras_coatnet.weights.atomic import replacing

CURVES_FILE, CONFUSION_FILE, CONFUSION_PICTURE = "curves.png", "confusion.csv", "confusion.png"
CLASSES_TABLE = "classes.csv"
LARGEST_PICTURE = 50
LARGEST_NUMBERED = 20

log = logging.getLogger("keras_coatnet")


def write_report(folder, rows, classes=None, answers=None):
    """Writes all of it; pictures only where matplotlib is installed.

    Args:
        folder: of the run.
        rows: of the history.
        classes: names in label order.
        answers: `Answers` to the held-out pictures; None leaves out matrix and table.
    """
    drawn = importlib.util.find_spec("matplotlib") is not None
    if not drawn:
        log.warning("No curves.png: it takes matplotlib (pip install matplotlib).")
    elif rows:
        draw_curves(Path(folder) / CURVES_FILE, rows)
    if answers is None:
        return
    counts = answers.confusion(len(classes))
    _write_csv(Path(folder) / CONFUSION_FILE, [("is \\ taken for", *classes), *_named(classes, counts)])
    _write_csv(Path(folder) / CLASSES_TABLE, class_table(classes, counts))
    if drawn and len(classes) <= LARGEST_PICTURE:
        draw_confusion(Path(folder) / CONFUSION_PICTURE, classes, counts)


def class_table(classes, counts):
    """Rows, a header first: class, pictures, accuracy, precision, and what it is most often mistaken for."""
    table = [("class", "images", "accuracy", "precision", "mistaken_for", "mistaken")]
    for index, name in enumerate(classes):
        total, taken, right = counts[index].sum(), counts[:, index].sum(), counts[index, index]
        others = np.where(np.arange(len(classes)) == index, -1, counts[index])
        worst = int(others.argmax())
        mistaken = (classes[worst], int(others[worst])) if others[worst] > 0 else ("", 0)
        table.append((name, int(total), _share(right, total), _share(right, taken), *mistaken))
    return table


def draw_curves(path, rows):
    """Loss and accuracy over the epochs, training and held out."""
    from matplotlib.figure import Figure  # without pyplot no display and no backend of the user's is asked for
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(10, 4), layout="constrained")
    epochs = [row["epoch"] for row in rows]
    for axis, (name, title) in zip(figure.subplots(1, 2), (("loss", "loss"), ("accuracy", "top-1")), strict=True):
        for key, label in ((name, "training"), (f"val_{name}", "held out")):
            values = [row.get(key, np.nan) for row in rows]
            if not np.isnan(values).all():
                axis.plot(epochs, values, label=label, marker="o" if len(rows) < LARGEST_NUMBERED else None, ms=3)
        axis.set(xlabel="epoch", title=title)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
        axis.legend()
    _save(figure, path)


def draw_confusion(path, classes, counts):
    """The matrix as shares of each row, with numbers where there is room."""
    from matplotlib.figure import Figure

    side = 2.5 + 0.35 * len(classes)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axis = figure.subplots()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    drawn = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(drawn, ax=axis, shrink=0.8, label="share of the row")
    axis.set_xticks(range(len(classes)), classes, rotation=90)
    axis.set_yticks(range(len(classes)), classes)
    axis.set(xlabel="taken for", ylabel="is", title="held-out pictures")
    if len(classes) <= LARGEST_NUMBERED:
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axis.text(column, row, counts[row, column], ha="center", va="center", color=colour, fontsize=8)
    _save(figure, path)


def _named(classes, counts):
    return [(name, *row) for name, row in zip(classes, counts.tolist(), strict=True)]


def _share(part, whole):
    return round(float(part / whole), 4) if whole else ""


def _write_csv(path, rows):
    with replacing(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _save(figure, path):
    with replacing(path) as part:
        figure.savefig(part, format="png", dpi=100)
