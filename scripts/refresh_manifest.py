"""Download every file of weights_manifest.json, try it out, and write its size and sha256 into the manifest.

Run by scripts/refresh_manifest on a machine with internet. Each file goes the way a user's does: fetched, checked,
loaded into its model, converted, loaded by its tag from the converted file. The two models have to agree on a probe
image, and so have all files of a row.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import re
import sys
from pathlib import Path

import numpy as np

import keras_coatnet as kc
from keras_coatnet.weights.atomic import replacing
from keras_coatnet.weights.cache import read_record
from keras_coatnet.weights.download.fetch import fetch
from keras_coatnet.weights.download.progress import visible_progress
from keras_coatnet.weights.manifest import MANIFEST_VARIABLE, row_from_json
from keras_coatnet.weights.manifest_check import check_manifest

ROOT = Path(__file__).resolve().parents[1]
# Largest difference between logits, as a share of their spread, of models that hold the same weights.
TOLERANCE = 1e-5


@dataclasses.dataclass
class Outcome:
    """What came of one file: its size, hash and logits of the probe, or why it failed."""

    title: str
    file: str
    size: int | None = None
    sha256: str | None = None
    logits: np.ndarray | None = None
    failure: str | None = None


def main(arguments=None):
    options = parse(arguments)
    os.environ["KERAS_COATNET_HOME"] = str(options.home)
    entries = check_manifest(options.manifest, str(options.manifest))
    outcomes = []
    for entry in entries:
        row = row_from_json(entry)
        if options.names and not {row.name, row.variant} & set(options.names):
            continue
        found = [try_file(row, file, options) for file in row.files]
        compare(found)
        for fields, outcome in zip(entry["files"], found, strict=True):
            if outcome.failure is None:
                fields.update(size=outcome.size, sha256=outcome.sha256)
        outcomes += found
        write_manifest(options.manifest, entries)  # after each row: an interrupted run keeps what it learnt
    show(outcomes)
    return 1 if any(outcome.failure for outcome in outcomes) else 0


def parse(arguments):
    parser = argparse.ArgumentParser(prog="scripts/refresh_manifest", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="a variant, or variant.tag; all without one")
    parser.add_argument("--manifest", type=Path, default=ROOT / "weights_manifest.json", help="read and rewritten")
    parser.add_argument("--home", type=Path, default=ROOT / "out" / "refresh_manifest", help="cache folder")
    parser.add_argument("--image", type=Path, help="a photograph to classify; noise without one")
    return parser.parse_args(arguments)


def try_file(row, file, options):
    """The `Outcome` of one file, through the same steps as `pretrained=`."""
    outcome = Outcome(f"{row.name} at {row.input_size}", file.file)
    single = dataclasses.replace(row, files=(file,))
    try:
        with only_row(single, options.home):
            path = fetch(single, visible_progress(), verify=True)
            logits = probe(single, path, options.image)
            check_equal(logits, probe(single, row.tag, options.image), "the converted file")
        record = read_record(path)
        outcome.size, outcome.sha256, outcome.logits = record.size, record.sha256, logits
    except (OSError, ValueError, ImportError) as error:
        outcome.failure = str(error)
    return outcome


@contextlib.contextmanager
def only_row(row, home):
    """Inside this block the manifest's row has but one file."""
    path = Path(home) / "row.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([dataclasses.asdict(row)]))
    before = os.environ.get(MANIFEST_VARIABLE)
    os.environ[MANIFEST_VARIABLE] = str(path)
    try:
        yield
    finally:
        os.environ.pop(MANIFEST_VARIABLE)
        if before is not None:
            os.environ[MANIFEST_VARIABLE] = before


def probe(row, pretrained, image):
    """Logits of a row's model, with the weights of a path or a tag, for one image at the row's size."""
    shape = (row.input_size, row.input_size, 3)
    model = kc.build(row.variant, pretrained=pretrained, input_shape=shape, classifier_activation=None)
    if image is None:
        pictures = np.random.default_rng(0).normal(size=(1, *shape)).astype("float32")
    else:
        pictures = kc.preprocess_input([str(image)], model)
    logits = model.predict(pictures, verbose=0)[0]
    if not np.isfinite(logits).all():
        raise ValueError("its logits are not finite")
    return logits


def check_equal(logits, others, whose):
    difference = float(np.abs(logits - others).max() / logits.std())
    if difference > TOLERANCE:
        raise ValueError(f"its logits differ from those of {whose} by {difference:.1e} of their spread")


def compare(outcomes):
    """Mark files of one row that hold other weights than the first."""
    sound = [outcome for outcome in outcomes if outcome.failure is None]
    for outcome in sound[1:]:
        try:
            check_equal(outcome.logits, sound[0].logits, sound[0].file)
        except ValueError as error:
            outcome.failure = str(error)


def write_manifest(path, entries):
    """Write rows as the manifest is laid out: short lists of numbers on one line."""
    text = json.dumps(entries, indent=2)
    text = re.sub(r"\[\s+([-\d.,\s]+?)\s+\]", lambda found: "[" + " ".join(found[1].split()) + "]", text)
    with replacing(path) as temporary:
        Path(temporary).write_text(text + "\n", encoding="utf-8")


def show(outcomes):
    from rich.console import Console
    from rich.table import Table

    table = Table("weights", "file", "MB", "sha256", "best class of the probe")
    for outcome in outcomes:
        if outcome.failure is None:
            megabytes, sha256 = f"{outcome.size / 1e6:,.1f}", outcome.sha256[:12]
            table.add_row(outcome.title, outcome.file, megabytes, sha256, str(int(outcome.logits.argmax())))
        else:
            table.add_row(outcome.title, outcome.file, "", "", f"FAILED: {outcome.failure}", style="red")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
