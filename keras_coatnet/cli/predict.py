"""keras-coatnet predict PATH...: labels for pictures."""

import sys
from pathlib import Path

import keras

from keras_coatnet import registry
from keras_coatnet.cli.arguments import positive_integer
from keras_coatnet.cli.errors import SOME_INPUTS_FAILED, UsageError, bad_input
from keras_coatnet.images.labels import read_labels
from keras_coatnet.images.read import UnreadableImage, read_image
from keras_coatnet.predict import LARGEST_BATCH, predict
from keras_coatnet.training.run_folder import CLASSES_FILE


def add_parser(subparsers):
    parser = subparsers.add_parser("predict", help="name what is on pictures")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="picture files")
    parser.add_argument("--model", required=True, metavar="NAME|FILE.keras", help="a variant's name, or a saved model")
    parser.add_argument("--weights", metavar="FILE", help="a checkpoint for the variant NAME")
    parser.add_argument("--top", type=positive_integer, default=5, metavar="N", help="guesses a picture (default: 5)")
    parser.set_defaults(run=run)


def run(options):
    with bad_input():
        model, labels = load_model(options.model, options.weights)
    # One batch size for all of them: the last batch is filled up, not compiled anew.
    batch_size = min(len(options.paths), LARGEST_BATCH)
    failed = 0
    for start in range(0, len(options.paths), batch_size):
        paths, pictures = _read(options.paths[start : start + batch_size])
        failed += len(options.paths[start : start + batch_size]) - len(paths)
        answers = predict(model, pictures, options.top, labels=labels, batch_size=batch_size)
        for path, guesses in zip(paths, answers, strict=True):
            print(f"{path}: " + ", ".join(f"{guess.label} {guess.probability:.1%}" for guess in guesses))
    return SOME_INPUTS_FAILED if failed else 0


def _read(paths):
    """The readable paths and their pictures; the others are reported."""
    readable, pictures = [], []
    for path in paths:
        try:
            pictures.append(read_image(path))
            readable.append(path)
        except UnreadableImage as error:
            print(f"keras-coatnet predict: {error}", file=sys.stderr)
    return readable, pictures


def load_model(name_or_file, weights):
    """The model and its class names (None where none are known)."""
    if not name_or_file.endswith(".keras"):
        registry.get_spec(name_or_file)  # an unknown name is said before anything about weights
        if weights is None:
            raise UsageError(f"--model {name_or_file} is untrained; --weights FILE names a checkpoint for it")
        return registry.build(name_or_file, pretrained=weights), _labels_beside(weights)
    if weights is not None:
        raise UsageError(f"--weights goes with a variant's name; {name_or_file} holds its own")
    if not Path(name_or_file).is_file():
        raise UsageError(f"--model {name_or_file}: no such file")
    # Uncompiled: a model compiled on one backend need not load on another, and predicting takes no optimizer.
    return keras.models.load_model(name_or_file, compile=False), _labels_beside(name_or_file)


def _labels_beside(file):
    labels = Path(file).with_name(CLASSES_FILE)
    return read_labels(labels) if labels.is_file() else None
