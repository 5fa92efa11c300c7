"""Fuses variants at their full size and says what that changes: the difference of the logits, layers, numbers, speed.

    KERAS_BACKEND=torch python scripts/check_fuse.py                 # every variant below a billion parameters
    KERAS_BACKEND=jax python scripts/check_fuse.py coatnet_0 --rounds 5   # with the speed of the fused model

Weights and statistics are random and nothing special: scales of both signs, means off zero. Prints a Markdown table,
and ends with exit code 1 where a difference is above the bar.
"""

import argparse
import fnmatch
import gc
import sys

import numpy as np
from random_weights import fill

import keras_coatnet as kc
from keras_coatnet.benchmark.measure import measure_in_turn

# Of the logits' spread.
BAR = 1e-4
LARGEST = 1_000_000_000
COLUMNS = ("variant", "difference", "layers", "norms", "parameters", "multiply-adds", "stays", "batch 1", "batch 8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("patterns", nargs="*", default=["*"], metavar="PATTERN")
    parser.add_argument("--largest", type=int, default=LARGEST, help="parameters of the largest variant to fuse")
    parser.add_argument("--rounds", type=int, default=0, help="of timing; 0 times nothing")
    options = parser.parse_args()
    names = [name for name in kc.list_variants() if any(fnmatch.fnmatch(name, each) for each in options.patterns)]
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    worst = 0.0
    for name in names:
        if kc.count(name).parameters > options.largest:
            print(f"left out: {name} has {kc.count(name).parameters:,} parameters", file=sys.stderr)
            continue
        worst = max(worst, check(name, options.rounds))
        gc.collect()
    return int(worst > BAR)


def check(name, rounds):
    """Prints a row; returns the difference."""
    model = kc.build(name, classifier_activation=None)
    fill(model)
    fused = kc.fuse(model)
    side = model.spec.input_size
    images = np.random.default_rng(1).standard_normal((2, side, side, 3)).astype("float32")
    expected, found = model.predict_on_batch(images), fused.predict_on_batch(images)
    difference = float(np.abs(found - expected).max() / expected.std())
    before, after = fused.fusion.before, fused.fusion.after
    changes = [
        f"{getattr(before, field):,} to {getattr(after, field):,}" for field in ("layers", "norms", "parameters")
    ]
    speeds = [speed(model, fused, batch_size, side, rounds) for batch_size in (1, 8)]
    reasons = ", ".join(sorted(set(fused.fusion.stays.values()))) or "nothing"
    macs = f"{before.macs:,}" if before.macs == after.macs else f"{before.macs:,} to {after.macs:,}"
    print(f"| {' | '.join([name, f'{difference:.1e}', *changes, macs, reasons, *speeds])} |", flush=True)
    return difference


def speed(model, fused, batch_size, side, rounds):
    """How many times as fast the fused model is, with the range over the rounds."""
    if not rounds:
        return ""
    images = np.random.default_rng(1).standard_normal((batch_size, side, side, 3)).astype("float32")
    calls = {each: lambda each=each: each.predict_on_batch(images) for each in (model, fused)}
    before, after = measure_in_turn(calls, rounds)
    ratio, lowest, highest = after.speed_over(before)
    return f"{ratio:.2f} ({lowest:.2f}-{highest:.2f})"


if __name__ == "__main__":
    sys.exit(main())
