"""keras-coatnet predict PATH...: labels for pictures."""

import argparse
import os
import sys
import time

from keras_coatnet.cli.arguments import positive_integer
from keras_coatnet.cli.errors import SOME_INPUTS_FAILED, UsageError, bad_input
from keras_coatnet.cli.picture_paths import STANDARD_INPUT, NoPictures, picture_paths
from keras_coatnet.cli.prediction_rows import CsvRows, JsonRows, TextRows
from keras_coatnet.cli.progress import progress_display
from keras_coatnet.deploy.runtimes import is_exported, open_file
from keras_coatnet.images.read import UnreadableImage
from keras_coatnet.prediction.classifier import LARGEST_BATCH, Classifier, NotProbabilities
from keras_coatnet.prediction.default_model import DEFAULT_VARIANT, load_default
from keras_coatnet.prediction.load import check_source, load

EXAMPLES = """
Output, one line a picture in the order given: text; --json, a JSON object a line; --csv, a line a guess under a header.
A picture that cannot be read is reported on standard error (and as "error" in JSON), the rest goes on, and the exit
code is 1.

examples:
  keras-coatnet predict cat.jpg holidays/ 'scans/**/*.tif'
  find / -name '*.jpg' -print0 | keras-coatnet predict -0 - --csv > answers.csv
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "predict",
        help="name what is on pictures",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="pictures, folders (with all below them), quoted patterns such as '**/*.jpg', or - for paths from "
        "standard input, one a line",
    )
    parser.add_argument(
        "--model",
        metavar="NAME|FILE",
        help="variant, saved model (.keras) or exported file: .tflite, .onnx, .xml, .pt2, .stablehlo, the folder of a "
        "SavedModel (default: coatnet_0; where it cannot be fetched, an ImageNet model of the cache, or the "
        "small one that comes with the package)",
    )
    parser.add_argument(
        "--weights", metavar="TAG|FILE", help="trained weights for the variant NAME (default: imagenet)"
    )
    parser.add_argument("--top", type=positive_integer, default=5, metavar="N", help="guesses a picture (default: 5)")
    parser.add_argument(
        "--batch-size", type=positive_integer, default=LARGEST_BATCH, metavar="N", help="pictures at once (default: 32)"
    )
    parser.add_argument("-0", "--null", action="store_true", help="paths on standard input end with a null byte")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="rows", action="store_const", const=JsonRows, help="a JSON object a line")
    form.add_argument("--csv", dest="rows", action="store_const", const=CsvRows, help="a header, then a line a guess")
    parser.set_defaults(run=run, rows=TextRows)


def run(options):
    with bad_input():
        check_model(options)
    paths = picture_paths(options.paths, sys.stdin, b"\0" if options.null else b"\n")
    total = None
    if STANDARD_INPUT not in options.paths:
        paths = list(paths)
        total = len(paths)
        if not any(isinstance(path, str) and os.path.exists(path) for path in paths):
            # Said before a model is fetched for nothing.
            return write_answers(map(missing, paths), total, options.rows)
    with bad_input():
        model, labels = load_model(options)
        batch_size = min(options.batch_size, total or options.batch_size)
        classifier = Classifier(model, labels, options.top, batch_size)
        speed = Speed(batch_size)
    return write_answers(classifier.stream(paths), total, options.rows, speed)


def check_model(options):
    """Refuses a model or weights that cannot be, before anything is read."""
    if options.model is None:
        if options.weights is not None:
            options.model = DEFAULT_VARIANT
        return
    if not is_exported(options.model):
        check_source(options.model, options.weights)
    elif options.weights is not None:
        raise UsageError(f"--weights go with a variant's name; {options.model} holds its own")
    elif not os.path.exists(options.model):
        raise UsageError(f"{options.model}: no such file")


def load_model(options):
    """(model, labels) of a variant, a `.keras` file or an exported one; None is the default model."""
    if options.model is None:
        return load_default()
    if not is_exported(options.model):
        return load(options.model, options.weights)
    try:
        return open_file(options.model), None
    except ModuleNotFoundError as error:
        raise UsageError(str(error)) from None


def missing(path):
    """The answer to a path that is not there."""
    return path, path if isinstance(path, NoPictures) else UnreadableImage(f"{path}: No such file or directory")


def write_answers(answers, total, rows_class, speed=None):
    """Writes a row a picture, in order.

    Args:
        answers: iterable of (path, list of guesses or `UnreadableImage`).
        total: how many there will be, None where nobody knows.
        rows_class: how they are written.
        speed: `Speed` that counts the good ones, and is reported.

    Returns: the exit code.
    """
    failed = 0
    with progress_display(total, "pictures") as advance:
        rows = rows_class(sys.stdout)
        try:
            for path, answer in answers:
                if isinstance(answer, UnreadableImage):
                    failed += 1
                    report(answer)
                    rows.write_error(getattr(path, "path", path), answer)
                else:
                    rows.write(path, answer)
                    speed.count()
                advance()
        except NotProbabilities as error:
            raise UsageError(str(error)) from None
        except KeyboardInterrupt:
            if speed is not None:
                report(speed)
            raise
    if speed is not None:
        report(speed)
    return SOME_INPUTS_FAILED if failed else 0


def report(message):
    print(f"keras-coatnet predict: {message}", file=sys.stderr)


class Speed:
    """Counts pictures; as text: how many there were, and how many a second."""

    def __init__(self, batch_size):
        self.batch_size, self.pictures = batch_size, 0
        self.start = self.warm = time.perf_counter()

    def count(self):
        self.pictures += 1
        if self.pictures == self.batch_size:
            self.warm = time.perf_counter()

    def __str__(self):
        now = time.perf_counter()
        noun = "picture" if self.pictures == 1 else "pictures"
        seconds = now - self.start
        text = f"{self.pictures:,} {noun} in {seconds:.1f} s, {self.pictures / seconds:.1f} a second"
        if self.pictures > self.batch_size:
            # The first batch compiles the model.
            text += f", {(self.pictures - self.batch_size) / (now - self.warm):.1f} after the first batch"
        return text
