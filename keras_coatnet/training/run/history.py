"""The numbers of every finished epoch, as CSV, as JSON lines and, where it is installed, for TensorBoard."""

import csv
import importlib.util
import json
from pathlib import Path

from keras_coatnet.weights.atomic import replacing

CSV_FILE, JSON_FILE, TENSORBOARD_FOLDER = "history.csv", "history.jsonl", "tensorboard"
NOT_CURVES = ("epoch",)


def write_history(folder, rows):
    """Writes history.csv and history.jsonl anew.

    Args:
        folder: of the run.
        rows: dictionaries with `epoch` and numbers.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(Path(folder) / CSV_FILE) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    with replacing(Path(folder) / JSON_FILE) as part:
        Path(part).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def read_history(folder):
    """The rows of history.jsonl."""
    text = (Path(folder) / JSON_FILE).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def make_tensorboard(folder):
    """A function that writes a row for TensorBoard; None where neither TensorFlow nor tensorboard can do it."""
    folder = str(Path(folder) / TENSORBOARD_FOLDER)
    if importlib.util.find_spec("tensorboard") is None:
        return None
    writer = _writer(folder)

    def write(row):
        for name, value in row.items():
            if name not in NOT_CURVES:
                writer.add_scalar(name, value, row["epoch"])
        writer.flush()

    return write


def _writer(folder):
    from tensorboard.summary import Writer

    return Writer(folder)
