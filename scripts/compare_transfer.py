"""What trained weights are worth on a small data set: fine-tuned against the same model from scratch, some seeds each.

    python scripts/compare_transfer.py --data DIR --model NAME --weights TAG|FILE [--epochs N] [--seeds 0 1 2] --out DIR

DIR holds train/, val/ or validation/, and test/. Every run is a `keras-coatnet train` of its own; where one is broken
off, the same command goes on. Weights of the last epoch are tested, so nothing is chosen by looking at test pictures.
From scratch all layers learn at the same rate: there is nothing below that is worth keeping. Prints a table.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

COMMAND = (sys.executable, "-m", "keras_coatnet.cli.main", "train")
TIMES_FILE = "seconds.json"
PRETRAINED, SCRATCH = "pretrained", "from scratch"
SCRATCH_CHANGES = ("--set", "layer_decay=1.0")


@dataclass(frozen=True)
class Run:
    """One training.

    Args:
        start: `PRETRAINED` or `SCRATCH`.
        seed: of initial values, order and augmentation.
        folder: that it leaves.
        options: of `keras-coatnet train`.
    """

    start: str
    seed: int
    folder: Path
    options: tuple


def main(arguments=None):
    options = parse(arguments)
    runs = [run for seed in options.seeds for run in runs_of(seed, options)]
    for number, run in enumerate(runs, 1):
        print(f"\n== {number} of {len(runs)}: {run.start}, seed {run.seed}", flush=True)
        train(run)
    print("\n" + table(runs))
    for start in (PRETRAINED, SCRATCH):
        first = next(run for run in runs if run.start == start)
        print(f"\n{start}: {shlex.join(('keras-coatnet', 'train', *first.options))}")


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="holds train/, val/ or validation/, and test/")
    parser.add_argument("--model", required=True, help="name of a variant")
    parser.add_argument("--weights", required=True, metavar="TAG|FILE", help="that it is fine-tuned from")
    parser.add_argument("--out", required=True, type=Path, help="gets a folder a run")
    parser.add_argument("--epochs", type=int, default=30, help="of every run (default: 30)")
    parser.add_argument("--image-size", type=int, default=160, help="(default: 160)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="(default: 0 1 2)")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="in the recipe of all runs")
    return parser.parse_args(arguments)


def runs_of(seed, options):
    """The two runs of a seed; they differ in where they start, and in the rates of lower layers."""
    shared = ("--data", options.data, "--model", options.model, "--recipe", "transfer", "--seed", str(seed))
    shared += ("--epochs", str(options.epochs), "--image-size", str(options.image_size))
    changes = tuple(word for change in options.set for word in ("--set", change))
    for start, own in ((PRETRAINED, ("--pretrained", options.weights)), (SCRATCH, SCRATCH_CHANGES)):
        folder = options.out / f"{start.replace(' ', '_')}-{seed}"
        yield Run(start, seed, folder, (*shared, *own, *changes, "--weights-only", "--out", str(folder)))


def train(run):
    """Runs it as a process of its own, if it is not finished; adds the seconds that took to those of earlier parts."""
    begin = time.perf_counter()
    done = subprocess.run([*COMMAND, *run.options], check=False)
    file = run.folder / TIMES_FILE
    if file.parent.is_dir():
        was_finished = file.is_file() and json.loads(file.read_text())["finished"]
        if not was_finished:
            seconds = seconds_of(run) + time.perf_counter() - begin
            file.write_text(json.dumps({"seconds": seconds, "finished": done.returncode == 0}))
    if done.returncode:
        sys.exit(done.returncode)


def seconds_of(run):
    file = run.folder / TIMES_FILE
    return json.loads(file.read_text())["seconds"] if file.is_file() else 0.0


def accuracy_of(run):
    """Share of test pictures that a finished run's last weights name rightly."""
    results = json.loads((run.folder / "recipe.json").read_text())["results"]
    if "test" not in results:
        sys.exit(f"compare_transfer.py: {run.folder} was trained on data without test/")
    return results["test"]["top1"]


def table(runs):
    """Markdown: test accuracy of every seed, mean, standard deviation, minutes a run."""
    seeds = list(dict.fromkeys(run.seed for run in runs))
    lines = [
        f"| start | {' | '.join(f'seed {seed}' for seed in seeds)} | mean | standard deviation | minutes a run |",
        "| --- |" + " --- |" * (len(seeds) + 3),
    ]
    for start in (PRETRAINED, SCRATCH):
        own = [run for run in runs if run.start == start]
        found = [100 * accuracy_of(run) for run in own]
        spread = f"{statistics.stdev(found):.1f}" if len(found) > 1 else "-"
        minutes = statistics.mean(seconds_of(run) for run in own) / 60
        cells = [*(f"{each:.1f}" for each in found), f"{statistics.mean(found):.1f}", spread, f"{minutes:.1f}"]
        lines.append(f"| {start} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
