"""Measure how many pictures a second the input pipeline gives.

    python scripts/benchmark_input.py DIR --workers 2 --image-size 224

DIR is a data set as `keras-coatnet train` takes it. Rounds go through all recipes and loaders in turn, so that whatever
else the machine does meets all of them. Printed are the medians over rounds, and what one process needs for a picture.
The first batches of a round, while processes start, are not counted.
"""

import argparse
import importlib.util
import os
import statistics
import time

import keras
import numpy as np

from keras_coatnet.training.augment.randomness import PICTURE, generator_for
from keras_coatnet.training.data.feeds import make_augmentation, training_feed
from keras_coatnet.training.data.loaders import LIBRARIES
from keras_coatnet.training.data.sources import open_data
from keras_coatnet.training.recipes import get_recipe

SAMPLE = 200  # pictures for the parts


def main():
    options = parse()
    data = open_data(options.data)
    recipes = [get_recipe(name).replace(image_size=options.image_size) for name in options.recipes]
    recipes = [recipe.replace(batch_size=options.batch_size) for recipe in recipes]
    speeds = {(recipe.name, loader): [] for recipe in recipes for loader in options.loaders}
    for _ in range(options.rounds):
        for recipe in recipes:
            for loader in options.loaders:
                speeds[recipe.name, loader].append(measure(data, recipe, loader, options))
    print(
        f"{len(data.train):,} pictures, {options.image_size} pixels, batches of {options.batch_size}, "
        f"{options.workers} processes, load before {os.getloadavg()[0]:.1f}"
    )
    for (name, loader), values in speeds.items():
        each = ", ".join(f"{value:.0f}" for value in values)
        print(f"{name:12} {loader:8} {statistics.median(values):6.0f} pictures a second ({each})")
    for recipe in recipes:
        parts = ", ".join(f"{name} {1e3 * seconds:.2f}" for name, seconds in time_parts(data, recipe).items())
        print(f"{recipe.name:12} milliseconds a picture in one process: {parts}")


def parse():
    installed = [name for name, library in LIBRARIES.items() if importlib.util.find_spec(library)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DIR")
    parser.add_argument("--recipes", nargs="+", default=["a3_160", "paper_in1k"])
    parser.add_argument("--loaders", nargs="+", default=installed, choices=installed)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batches", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def measure(data, recipe, loader, options):
    """Pictures a second, after the first batch of each process."""
    with training_feed(data.train, len(data.classes), recipe, loader=loader, workers=options.workers) as feed:
        stream = feed.dataset()
        if isinstance(stream, keras.utils.PyDataset):
            batches = (stream[index] for index in range(10**9))
        else:
            batches = iter(stream)
        for _ in range(2 * max(1, options.workers)):
            next(batches)
        start = time.perf_counter()
        for _ in range(options.batches):
            next(batches)
        return options.batches * options.batch_size / (time.perf_counter() - start)


def time_parts(data, recipe):
    """Seconds a picture for reading and for all that is done then."""
    augment = make_augmentation(recipe)
    seconds = dict.fromkeys(("read", "augment"), 0.0)
    for index in np.random.default_rng(0).permutation(len(data.train))[:SAMPLE].tolist():
        start = time.perf_counter()
        picture = data.train.read(index)
        middle = time.perf_counter()
        augment(picture, generator_for(PICTURE, 0, 0, index, 0))
        seconds["read"] += middle - start
        seconds["augment"] += time.perf_counter() - middle
    return {name: total / SAMPLE for name, total in seconds.items()}


if __name__ == "__main__":
    main()
