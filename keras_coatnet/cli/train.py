"""keras-coatnet train: a classifier from a folder of class folders, by a recipe."""

import argparse
import contextlib
import dataclasses
import shlex
import sys
from pathlib import Path

import keras

from keras_coatnet import registry
from keras_coatnet.cli.arguments import positive_integer, positive_number, seed
from keras_coatnet.cli.errors import INTERRUPTED, SOME_INPUTS_FAILED, UsageError, bad_input
from keras_coatnet.cli.training.devices import add_device_options, on_devices, smaller_batches
from keras_coatnet.cli.training.display import ProgressCallback, progress_display, stopping_on_signals
from keras_coatnet.cli.training.feeds import RunFeeds
from keras_coatnet.cli.training.request import chosen_recipe, chosen_spec, output_of
from keras_coatnet.cli.training.teacher import distiller
from keras_coatnet.prediction.inputs import preprocessing_of
from keras_coatnet.training.data.sources import open_data
from keras_coatnet.training.evaluation import collect_answers
from keras_coatnet.training.optimization.compilation import make_loss, make_schedule
from keras_coatnet.training.optimization.parameter_groups import freeze_stages
from keras_coatnet.training.recipes import list_recipes
from keras_coatnet.training.run.checkpoints import NotFinite, read_about
from keras_coatnet.training.run.folder import (
    RESUME_FOLDER,
    check_folder,
    end_run,
    read_recipe,
    run_settings,
    save_run,
    write_recipe,
)
from keras_coatnet.training.run.keeper import Stopped
from keras_coatnet.training.run.loop import train
from keras_coatnet.training.run.report import write_report
from keras_coatnet.training.run.resizing import train_growing
from keras_coatnet.training.scale.processes import is_first_process

DEFAULT_RECIPE = "transfer"
NOTES = """
recipes: {recipes}
Whatever breaks a run off (Ctrl-C, a lost machine), the same command goes on where the last checkpoint was written, to
the same weights. A finished run leaves model.keras, model.weights.h5 (the last weights, averaged if the recipe
averages), classes.json, recipe.json, history.csv and .jsonl, curves.png, confusion.csv and .png, and classes.csv.

examples:
  keras-coatnet train --data pets --model coatnet_0 --pretrained imagenet --out run
  keras-coatnet train --data pets --model coatnet_t --recipe a3_160 --set mixup=0.2 --set optimizer=adamw --out run
  keras-coatnet train --data imagenet --model coatnet_4 --recipe paper_in1k --devices all --model-parallel 2 --out run
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "train",
        help="train a classifier on a folder of class folders",
        epilog=NOTES.format(recipes=", ".join(list_recipes())),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data",
        required=True,
        metavar="DIR",
        help="one folder a class; or train/ and val/ (validation/, test/) of those; or a .csv, .json or .jsonl list; "
        "or tfds:NAME",
    )
    parser.add_argument("--model", required=True, metavar="NAME", help="a name from `keras-coatnet models`")
    parser.add_argument("--out", required=True, metavar="DIR", help="gets everything the run leaves")
    parser.add_argument(
        "--recipe", default=DEFAULT_RECIPE, metavar="NAME", help=f"how to train (default: {DEFAULT_RECIPE})"
    )
    parser.add_argument("--pretrained", metavar="TAG|FILE", help="weights to start from (default: none)")
    parser.add_argument("--teacher", metavar="FILE.keras", help="learn from what this model says to the pictures, too")
    parser.add_argument("--epochs", type=positive_integer, metavar="N", help="(default: the recipe's)")
    parser.add_argument("--batch-size", type=positive_integer, metavar="N", help="(default: the recipe's)")
    parser.add_argument(
        "--image-size", type=positive_integer, metavar="N", help="side in pixels (default: the recipe's)"
    )
    parser.add_argument("--learning-rate", type=positive_number, metavar="X", help="its peak (default: the recipe's)")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="(default: 0)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="any field of the recipe; may be repeated"
    )
    parser.add_argument(
        "--model-set", action="append", default=[], metavar="FIELD=VALUE", help="any field of the model's spec"
    )
    parser.add_argument(
        "--save-every", type=positive_integer, metavar="N", help="batches between checkpoints (default: an epoch's)"
    )
    parser.add_argument("--weights-only", action="store_true", help="leave model.weights.h5, but no model.keras")
    add_device_options(parser)
    parser.set_defaults(run=run)


def run(options):
    with contextlib.ExitStack() as stack:
        with bad_input():
            stack.enter_context(on_devices(options))
        return run_here(options)


def run_here(options):
    """The command on the devices in whose scope it is called."""
    keras.utils.set_random_seed(options.seed)
    with bad_input():
        recipe = chosen_recipe(options)
        spec = chosen_spec(options.model, options.model_set)
        data = open_data(options.data, options.seed)
        others = {"seed": options.seed, "pretrained": options.pretrained, "teacher": options.teacher}
        others |= smaller_batches(recipe, len(data.train))
        settings = run_settings(recipe, spec, data, options.data, **others)
        found = check_folder(options.out, settings)
        if found == "finished":
            return tell_finished(options.out)
        side = recipe.image_size
        model = registry.build(
            spec,
            input_shape=(side, side, 3),
            num_classes=len(data.classes),
            classifier_activation=output_of(recipe),
            pretrained=options.pretrained,
            drop_path_rate=recipe.drop_path_rate,
            dropout_rate=recipe.dropout_rate,
            dtype=None if recipe.dtype == "float32" else recipe.dtype,
        )
        feeds = RunFeeds(data, recipe, remember_preprocessing(model, recipe), options.seed)
        engine = distiller(model, options.teacher, data.classes, recipe) if options.teacher else None
        feed, _ = feeds.of_size((side, side))
        check_run(model, recipe, feed.steps, engine)
        Path(options.out).mkdir(parents=True, exist_ok=True)
    with feeds:
        try:
            model, rows = _train(model, recipe, feeds, engine, settings, options)
            return _finish(model, recipe, data, feeds, rows, settings, options)
        except OSError as error:
            resume = Path(options.out) / RESUME_FOLDER
            reason = " ".join(str(error.strerror or error).split())
            raise UsageError(f"{reason}; the run is kept in {resume}, and the same command goes on with it") from None
        except NotFinite as error:
            print(
                f"keras-coatnet train: error: {error}. Try a lower --learning-rate or --set clip_norm=1.0, with "
                "another --out.",
                file=sys.stderr,
            )
            return SOME_INPUTS_FAILED
        except Stopped:
            print(f"stopped in {_place(options.out, feed)}; the same command goes on from there:")
            print(f"  {_command(options)}")
            return INTERRUPTED


def remember_preprocessing(model, recipe):
    """Has a model say what was done to its pictures, as its weights' row does or else the recipe.

    Returns: `Preprocessing`.
    """
    made_ready = preprocessing_of(model) if model.origin else recipe.preprocessing()
    model.origin = {
        "name": None,
        "input_size": recipe.image_size,
        "labels": None,
        "preprocessing": dataclasses.asdict(made_ready),
    }
    return made_ready


def check_run(model, recipe, steps, engine=None):
    """Refuses before any work what training would refuse."""
    if recipe.growing and engine is not None:
        raise ValueError("--teacher and growing pictures do not go together; set growing=()")
    for side in recipe.sides.values():
        model.check_input_sides(model.spec, (side, side))
    make_loss(recipe.loss, model)
    make_schedule(recipe, steps, recipe.epochs)
    freeze_stages(model, recipe.frozen_stages)


def tell_finished(folder):
    """Says that there is nothing to do."""
    results = read_recipe(folder)["results"]
    print(f"{folder}: this run is finished: {results['summary']}. Remove the folder, or choose another, to train anew.")
    return 0


def _train(model, recipe, feeds, engine, settings, options):
    """(the trained model, the rows of its history)"""
    sizes = {start: (side, side) for start, side in recipe.sides.items()}
    feed, held_out = feeds.of_size((recipe.image_size, recipe.image_size))
    resume = Path(options.out) / RESUME_FOLDER
    about = read_about(resume)
    start = 0
    if about is not None:
        epoch, step = about["state"]["position"]
        start = epoch * feed.steps + step
        print(f"going on from {_place(options.out, feed)}")
        if about["backend"] != keras.backend.backend():
            print(f"It was started on {about['backend']}; on another backend its numbers go on close, not equal.")
    with progress_display() as progress, stopping_on_signals() as stop:
        display = ProgressCallback(progress, recipe.epochs, feed.steps, feed.batch_size, start)
        keeping = {
            "folder": options.out,
            "resume_folder": resume,
            "save_every": options.save_every,
            "settings": settings,
            "callbacks": [display],
            "stop": stop,
        }
        if recipe.growing:
            return train_growing(model, recipe, feeds.of_size, sizes, **keeping)
        return model, train(model, recipe, feed, held_out, engine=engine, **keeping)


def _finish(model, recipe, data, feeds, rows, settings, options):
    """Writes what the run leaves and tells what came out."""
    size = (recipe.image_size, recipe.image_size)
    feed, held_out = feeds.of_size(size)
    answers = collect_answers(model, held_out)
    results = {"held_out": {"images": len(answers.names), "top1": answers.top1, "top5": answers.top5}}
    results["summary"] = f"accuracy on {len(answers.names):,} held-out images: {answers.top1:.2%}"
    print(results["summary"])
    skipped = feeds.skipped
    if data.test is not None:
        test = feeds.evaluation(data.test, size, feed.batch_size)
        tested = collect_answers(model, test)
        skipped |= test.skipped
        results["test"] = {"images": len(tested.names), "top1": tested.top1, "top5": tested.top5}
        print(f"accuracy on {len(tested.names):,} test images: {tested.top1:.2%}")
    best = max(rows, key=lambda row: row.get("val_accuracy", 0.0))
    results["best"] = {"epoch": best["epoch"], "top1": best.get("val_accuracy")}
    if is_first_process():
        write_report(options.out, rows, data.classes, answers)
    file = save_run(model, data.classes, options.out, options.weights_only)
    about = {
        "command": _command(options),
        "settings": settings,
        "preprocessing": model.origin["preprocessing"],
        "results": results,
        "skipped": skipped,
    }
    if is_first_process():
        write_recipe(options.out, about)
        end_run(options.out)
    if skipped:
        print(f"{len(skipped)} pictures could not be read and were left out; recipe.json lists them")
    print(f"{'weights' if options.weights_only else 'model'}: {file}")
    return 0


def _place(folder, feed):
    epoch, step = read_about(Path(folder) / RESUME_FOLDER)["state"]["position"]
    return f"epoch {epoch + 1}, behind step {step} of {feed.steps}"


def _command(options):
    """The command line that does the same."""
    words = ["keras-coatnet", "train"]
    for name, value in vars(options).items():
        if name in ("run", "command") or value in (None, False, []):
            continue
        option = "--" + name.replace("_", "-")
        for each in value if isinstance(value, list) else [value]:
            words += [option] if each is True else [option, str(each)]
    return shlex.join(words)
