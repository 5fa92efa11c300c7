"""keras-coatnet explain IMAGE...: pictures that show where a model sees a class."""

import argparse
import sys
from pathlib import Path

from keras_coatnet.cli.errors import SOME_INPUTS_FAILED, UsageError, bad_input
from keras_coatnet.cli.picture_paths import picture_paths
from keras_coatnet.deploy.runtimes import is_exported
from keras_coatnet.explain.class_figure import draw_evidence, short_label
from keras_coatnet.explain.classes import find_class
from keras_coatnet.explain.grad_cam import GradCAM
from keras_coatnet.images.read import UnreadableImage, read_image
from keras_coatnet.prediction.default_model import DEFAULT_VARIANT, load_default
from keras_coatnet.prediction.load import check_source, load

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".pdf", ".svg")

EXAMPLES = """
Each picture becomes one: itself, what in it speaks for the class, and the five most probable classes. Paths are printed
as they are written. A picture that cannot be read is reported, the rest goes on, and the exit code is 1.

examples:
  keras-coatnet explain cat.jpg --out why.png
  keras-coatnet explain holidays/ --class 'golden retriever' --out explained/
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "explain",
        help="show where on pictures a model sees a class",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="+", metavar="IMAGE", help="pictures, folders or patterns, as for predict")
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE|DIR",
        help=f"one picture's file ({', '.join(ENDINGS)}), or a folder for any number",
    )
    parser.add_argument(
        "--class", dest="target", metavar="NAME", help="label, WordNet id or number (default: the most probable)"
    )
    parser.add_argument(
        "--stage", metavar="N", help="number of the stage whose map is read, 0 is the stem (default: the last)"
    )
    parser.add_argument(
        "--model",
        metavar="NAME|FILE",
        help="variant or saved model (.keras) (default: coatnet_0; where it cannot be fetched, an ImageNet model of "
        "the cache, or the small one that comes with the package)",
    )
    parser.add_argument(
        "--weights", metavar="TAG|FILE", help="trained weights for the variant NAME (default: imagenet)"
    )
    parser.set_defaults(run=run)


def run(options):
    with bad_input():
        check_model(options)
        check_drawing()
        pictures = list(picture_paths(options.paths, sys.stdin))
        targets = output_paths(pictures, options.out)
    if not any(isinstance(picture, str) and Path(picture).exists() for picture in pictures):
        # Said before a model is fetched for nothing.
        return draw_all(None, pictures, targets, None)
    with bad_input():
        model, labels = load_default() if options.model is None else load(options.model, options.weights)
        explainer = GradCAM(model, as_stage(options.stage), labels=labels)
        target = None if options.target is None else find_class(explainer.names, options.target)
    return draw_all(explainer, pictures, targets, target)


def draw_all(explainer, pictures, paths, target):
    """Writes a figure a picture, says so in a line each, and goes on after a bad one. Returns: the exit code."""
    failed = 0
    for picture, path in zip(pictures, paths, strict=True):
        try:
            line = explain(explainer, picture, target, path)
        except UnreadableImage as error:
            failed += 1
            print(f"keras-coatnet explain: {error}", file=sys.stderr)
        else:
            print(line, flush=True)
    return SOME_INPUTS_FAILED if failed else 0


def check_model(options):
    """Refuses a model that cannot be, before anything is read."""
    if options.model is None:
        if options.weights is not None:
            options.model = DEFAULT_VARIANT
        return
    if is_exported(options.model):
        raise UsageError(f"{options.model} is an exported file, without gradients: name a variant or a .keras file")
    check_source(options.model, options.weights)


def check_drawing():
    """Refuses to begin where nothing can be drawn in the end."""
    try:
        import matplotlib.figure  # noqa: F401
    except ModuleNotFoundError:
        raise UsageError("pictures are drawn with matplotlib: pip install 'keras-coatnet[explain]'") from None


def as_stage(text):
    """A number where it is one, else the name of a stage or layer."""
    return int(text) if text is not None and text.isdecimal() else text


def output_paths(pictures, out):
    """The file that each picture goes to; a folder is made.

    Args:
        pictures: list of paths, or errors in the place of one.
        out: file or folder as the user names it.

    Raises: ValueError for a file of another kind, for a file and several pictures, or if no folder can be made.
    """
    is_file = Path(out).suffix.lower() in ENDINGS and not Path(out).is_dir()
    if is_file and len(pictures) > 1:
        raise ValueError(f"--out must be a folder for {len(pictures)} pictures; got the file {out}")
    if is_file:
        if not Path(out).parent.is_dir():
            raise ValueError(f"{Path(out).parent}: no such folder")
        return [Path(out)]
    if Path(out).suffix and not Path(out).is_dir():
        raise ValueError(f"--out must be a folder or end with {', '.join(ENDINGS)}; got {out}")
    Path(out).mkdir(parents=True, exist_ok=True)
    return list(_own_names(pictures, Path(out)))


def _own_names(pictures, folder):
    """A name for each picture, after its file; the second cat.jpg becomes cat-2.png."""
    taken = set()
    for picture in pictures:
        stem = name = Path(str(picture)).stem if not isinstance(picture, Exception) else "unreadable"
        number = 1
        while name in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name)
        yield folder / f"{name}.png"


def explain(explainer, picture, target, path):
    """Writes one picture's figure. Returns: the line that says so."""
    if isinstance(picture, UnreadableImage):
        raise picture
    pixels = read_image(picture)
    with bad_input():
        evidence = explainer([pixels], target)
        draw_evidence(explainer, pixels, evidence).savefig(path)
    number = int(evidence.classes[0])
    label = short_label(explainer.names[number])
    return f"{picture}: {label} {evidence.probabilities[0, number]:.1%} -> {path}"
