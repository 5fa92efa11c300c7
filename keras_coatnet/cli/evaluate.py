"""keras-coatnet evaluate: how right a model is on labelled pictures."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from keras_coatnet import registry
from keras_coatnet.cli.arguments import positive_integer
from keras_coatnet.cli.errors import bad_input
from keras_coatnet.images.preprocess import Preprocessing
from keras_coatnet.prediction.inputs import input_size, preprocessing_of
from keras_coatnet.prediction.load import MODEL_ENDING, labels_beside, load
from keras_coatnet.training.data.feeds import evaluation_feed
from keras_coatnet.training.data.labelled import PARTS, open_for_evaluation
from keras_coatnet.training.evaluation import collect_answers, read_real_labels, real_accuracy
from keras_coatnet.training.run.folder import read_recipe

NOTES = """
Class folders are named by WordNet ids or labels for models of ImageNet, and as in classes.json for one's own.

examples:
  keras-coatnet evaluate --data imagenet --model coatnet_0 --weights imagenet --real real.json
  keras-coatnet evaluate --data pets --weights run/model.weights.h5
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "evaluate",
        help="measure a model on labelled pictures",
        epilog=NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data",
        required=True,
        metavar="DIR",
        help="one folder a class, or val/ (validation/, test/) of those; or a list; or tfds:NAME",
    )
    parser.add_argument(
        "--model", metavar="NAME|FILE.keras", help="variant or saved model (default: what recipe.json beside FILE says)"
    )
    parser.add_argument("--weights", metavar="TAG|FILE", help="trained weights for the variant NAME")
    parser.add_argument("--part", choices=PARTS, help="of the data (default: val, else test, else train, else all)")
    parser.add_argument(
        "--image-size", type=positive_integer, metavar="N", help="side in pixels (default: the weights')"
    )
    parser.add_argument("--batch-size", type=positive_integer, default=32, metavar="N", help="(default: 32)")
    parser.add_argument("--real", metavar="FILE", help="real.json, ImageNet's reassessed labels, to count by them too")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=run)


def run(options):
    from rich.console import Console
    from rich.progress import Progress

    with bad_input():
        real = read_real_labels(options.real) if options.real else None
        model, labels, preprocessing = open_model(options.model, options.weights, options.image_size)
        classes = model.output_shape[-1]
        source = open_for_evaluation(options.data, classes, labels, options.part)
        size = input_size(model)
    # The bar is for whoever watches; the answer alone goes to standard output.
    with (
        evaluation_feed(source, classes, preprocessing, size, batch_size=options.batch_size) as feed,
        Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress,
        bad_input(),
    ):
        task = progress.add_task("evaluating", total=len(source))
        answers = collect_answers(model, feed, lambda done: progress.update(task, completed=done))
        found = summary(answers, real, size)
    print(json.dumps(found) if options.json else as_text(found))
    return 0


def open_model(model, weights, side):
    """(model, labels or None, `Preprocessing`) of what the options say.

    Raises: ValueError where they do not say enough, or cannot be.
    """
    if model is None and weights is not None and weights.endswith(MODEL_ENDING):
        model, weights = weights, None
    run = read_recipe(Path(weights).parent) if weights is not None and Path(weights).is_file() else None
    if run is not None and model in (None, run["settings"]["model"]["name"]):
        return _of_run(run, weights, side)
    if model is None:
        raise ValueError("--model must name a variant or a .keras file, or --weights a file of a training run")
    if model.endswith(MODEL_ENDING):
        loaded, labels = load(model, weights)
        if side is not None and (side, side) != input_size(loaded):
            loaded = registry.resize_model(loaded, (side, side, 3))
    else:
        spec = registry.get_spec(model)
        if weights is None:
            raise ValueError(f"--weights must be a tag or a file for the variant {model}")
        shape = None if side is None else (side, side, 3)
        loaded, labels = registry.build(spec, pretrained=weights, input_shape=shape), labels_beside(weights)
    return loaded, labels if labels is not None else _known_labels(loaded), preprocessing_of(loaded)


def _of_run(run, weights, side):
    """A run's weights go with its own architecture, classes and preprocessing, all in its folder."""
    labels = labels_beside(weights)
    side = side or run["settings"]["recipe"]["image_size"]
    fields = run["settings"]["model"]
    spec = dataclasses.replace(registry.get_spec(fields["name"]), **fields)
    model = registry.build(spec, input_shape=(side, side, 3), num_classes=len(labels), pretrained=weights)
    return model, labels, Preprocessing(**run["preprocessing"])


def _known_labels(model):
    return (getattr(model, "origin", None) or {}).get("labels")


def summary(answers, real, size):
    """What is reported, as plain data."""
    found = {
        "images": len(answers.names),
        "top1": answers.top1,
        "top5": answers.top5,
        "loss": answers.loss,
        "image_size": list(size),
        "images_per_second": answers.images_per_second and round(answers.images_per_second, 2),
        "skipped": answers.skipped,
    }
    if real is not None:
        found["real_top1"], found["real_images"] = real_accuracy(answers, real)
    return found


def as_text(found):
    lines = [
        f"images   {found['images']:,} at {found['image_size'][0]} x {found['image_size'][1]}",
        f"top-1    {found['top1']:.2%}",
        f"top-5    {found['top5']:.2%}",
        f"loss     {found['loss']:.4f}",
    ]
    if "real_top1" in found:
        lines.append(f"ReaL     {found['real_top1']:.2%} of {found['real_images']:,} images")
    if found["images_per_second"]:
        lines.append(f"speed    {found['images_per_second']:.1f} images/s after the first batch")
    if found["skipped"]:
        lines.append(f"skipped  {len(found['skipped'])} that cannot be read: {', '.join(list(found['skipped'])[:5])}")
    return "\n".join(lines)
