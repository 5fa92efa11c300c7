"""keras-coatnet export NAME|FILE.keras OUT: a model as a file for another runtime, compared with it there."""

import argparse
import re
import sys

from keras_coatnet.cli.arguments import image_size, positive_integer, positive_number
from keras_coatnet.cli.errors import SOME_INPUTS_FAILED, UsageError, bad_input
from keras_coatnet.deploy.arguments import DYNAMIC, INPUTS, QUANTIZATIONS
from keras_coatnet.deploy.export import export
from keras_coatnet.deploy.formats import FORMATS, find_format
from keras_coatnet.deploy.handover import ExportFailed
from keras_coatnet.deploy.staging import check_target, target_of
from keras_coatnet.deploy.verify import DiffersTooMuch
from keras_coatnet.prediction.load import check_source, load

EXAMPLES = """
The file is loaded in its own runtime and compared with the model on photographs; the line printed says by how much they
differ. One that differs by more than the tolerance is not kept.

examples:
  keras-coatnet export coatnet_0 coatnet_0.onnx
  keras-coatnet export runs/clothing/model.keras clothing.tflite --quantization int8 --representative clothing/val
  keras-coatnet export coatnet_0 served/ --inputs jpeg
"""

# As messages have them: `force=True`, `image_size=(height, width)`, `tolerance= sets another`.
ARGUMENTS = re.compile(
    r"\b(format|batch_size|image_size|inputs|quantization|representative|tolerance|force)=(?:True)?(?=([^\s,.;])?)"
)


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "export",
        help="write a model as SavedModel, LiteRT, ONNX, OpenVINO, .pt2 or StableHLO, checked",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="NAME|FILE.keras", help="variant or saved model")
    parser.add_argument(
        "output", metavar="OUT", help="file to write: .tflite, .onnx, .xml, .pt2, .stablehlo, or a SavedModel's folder"
    )
    parser.add_argument(
        "--weights", metavar="TAG|FILE", help="trained weights for the variant NAME (default: imagenet)"
    )
    parser.add_argument("--format", metavar="F", help=f"one of {', '.join(FORMATS)} (default: what OUT's ending says)")
    parser.add_argument(
        "--batch-size",
        type=batch_size,
        metavar=f"N|{DYNAMIC}",
        help=f"images a call (default: 1 for .tflite, {DYNAMIC} for all others)",
    )
    parser.add_argument("--image-size", type=image_size, metavar="N|HxW", help="pixels (default: the model's own)")
    parser.add_argument(
        "--inputs",
        default="float",
        metavar="KIND",
        help=f"one of {', '.join(INPUTS)}: prepared pictures; bytes, normalised inside; files, decoded inside "
        "(default: float)",
    )
    parser.add_argument("--quantization", metavar="Q", help=f"one of {', '.join(QUANTIZATIONS)} (default: none)")
    parser.add_argument("--representative", metavar="DIR", help="pictures to compare on and to take int8's ranges from")
    parser.add_argument(
        "--tolerance",
        type=positive_number,
        metavar="X",
        help="largest difference, as a share of the logits' spread (default: 1e-4, float16 2e-2, integers none)",
    )
    parser.add_argument(
        "--no-gelu-builtin", dest="gelu_builtin", action="store_false", help="for GPU delegates without it (.tflite)"
    )
    parser.add_argument("--force", action="store_true", help="replace what is at OUT")
    parser.set_defaults(run=run)


def run(options):
    try:
        with bad_input():
            # Said before a model is fetched or loaded for nothing.
            check_source(options.model, options.weights)
            check_target(target_of(options.output), find_format(options.output, options.format), options.force)
            model, labels = load(options.model, options.weights)
            export(
                model,
                options.output,
                options.format,
                batch_size=options.batch_size,
                image_size=options.image_size,
                inputs=options.inputs,
                quantization=options.quantization,
                representative=options.representative,
                tolerance=options.tolerance,
                force=options.force,
                labels=labels,
                gelu_builtin=options.gelu_builtin,
            )
    except ModuleNotFoundError as error:
        raise UsageError(str(error)) from None
    except ExportFailed as error:
        return failed(error)
    except UsageError as error:
        if isinstance(error.__cause__, DiffersTooMuch):
            return failed(error)
        raise UsageError(as_options(str(error))) from None
    return 0


def failed(error):
    """What went wrong with a model and a path that could be."""
    print(f"keras-coatnet export: {as_options(str(error))}", file=sys.stderr)
    return SOME_INPUTS_FAILED


def as_options(message):
    """A message of `export` with its arguments as they are called here: --force for force=True."""
    return ARGUMENTS.sub(lambda found: f"--{found[1].replace('_', '-')}{' ' if found[2] else ''}", message)


def batch_size(text):
    if text == DYNAMIC:
        return text
    try:
        return positive_integer(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 up or {DYNAMIC}; got {text!r}") from None
