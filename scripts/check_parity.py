"""Compare released architectures at full size with the peers themselves, checkpoints going both ways.

For each row: the peer fills its model with random tensors, writes a checkpoint and answers at its own size and at
another. Ours loads the file at each size and has to give the same logits. Then ours writes the file back, and the peer
loads it strictly (timm: every name and shape; keras_cv_attention_models: by topology, not by name) and has to give our
logits. CoaT off multiples of 32, which timm cannot run, is held to the authors' rule there (`peers/coat_peer.py`).

    KERAS_BACKEND=jax python scripts/check_parity.py --timm-python PYTHON --kecam-python PYTHON --work FOLDER

PYTHON are the interpreters of environments that have the peers (see `check_release`). Files of the peers are kept in
the work folder and used again, so that three backends need them once. Exits with 1 where a number is outside its
tolerance.
"""

import argparse
import fnmatch
import gc
import logging
import os
import pathlib
import subprocess
import sys
import time
from typing import NamedTuple

if os.environ.get("KERAS_BACKEND") == "torch":
    # Loaded after TensorFlow, which Keras imports where it finds it, torch can crash the process.
    import torch  # noqa: F401

import keras
import numpy as np

import keras_coatnet as kc

SCRIPTS = pathlib.Path(__file__).resolve().parent
# Allowed largest difference, over the largest logit (timm) or the logits' standard deviation (the others).
TOLERANCES = {"timm": 1e-4, "kecam": 5e-5, "coat": 5e-5}
# Module of a peer -> whose interpreter runs it, and whose names its files have.
OWNERS = {"timm": "timm", "kecam": "kecam", "coat": "timm"}


class Row(NamedTuple):
    """A checkpoint: the variant, the sides it is made for, the sides it is run at; `large` ones run only on request."""

    variant: str
    peer: str
    sides: tuple
    runs: tuple
    suffix: str = ".safetensors"
    large: bool = False

    @property
    def name(self):
        prefix = "kecam_" if self.peer == "kecam" else ""
        return f"{prefix}{self.variant}_{shown(self.sides)}"


SQUARE, WIDE, LARGER, OFF_32 = (224, 224), (224, 288), (256, 256), (200, 232)
ROWS = (
    Row("coatnet_0", "kecam", (160, 160), ((160, 160), SQUARE), ".h5"),
    Row("coatnet_0", "kecam", SQUARE, (SQUARE, (256, 256)), ".h5"),
    Row("coatnet_0_rw", "timm", SQUARE, (SQUARE, WIDE)),
    Row("coatnet_nano_rw", "timm", SQUARE, (SQUARE, (256, 256))),
    Row("coatnet_bn_0_rw", "timm", SQUARE, (SQUARE, WIDE), ".pth"),
    Row("coatnet_rmlp_nano_rw", "timm", SQUARE, (SQUARE, WIDE)),
    Row("coatnet_rmlp_1_rw", "timm", SQUARE, (SQUARE, (200, 232))),
    Row("coatnext_nano_rw", "timm", SQUARE, (SQUARE, (192, 192)), ".pth"),
    Row("coatnet_0_timm", "timm", SQUARE, (SQUARE, WIDE)),
    Row("coatnet_1_rw", "timm", SQUARE, (SQUARE, WIDE)),
    Row("coatnet_rmlp_1_rw2", "timm", SQUARE, (SQUARE, WIDE)),
    Row("coatnet_2_rw", "timm", SQUARE, (SQUARE, WIDE), large=True),
    Row("coatnet_3_rw", "timm", SQUARE, (SQUARE, WIDE), large=True),
    Row("coatnet_rmlp_2_rw", "timm", SQUARE, (SQUARE, (384, 384)), large=True),
    Row("coatnet_rmlp_2_rw", "timm", (384, 384), ((384, 384), SQUARE), large=True),
    Row("coat_lite_tiny", "coat", SQUARE, (SQUARE, LARGER, OFF_32), ".pth"),
    Row("coat_lite_mini", "coat", SQUARE, (SQUARE, LARGER, OFF_32)),
    Row("coat_lite_small", "coat", SQUARE, (SQUARE, LARGER, OFF_32), ".bin"),
    Row("coat_lite_medium", "coat", SQUARE, (SQUARE, LARGER, OFF_32), ".pth"),
    Row("coat_lite_medium", "coat", (384, 384), ((384, 384), WIDE), ".bin"),
    Row("coat_tiny", "coat", SQUARE, (SQUARE, LARGER, OFF_32)),
    Row("coat_mini", "coat", SQUARE, (SQUARE, LARGER, OFF_32), ".bin"),
    Row("coat_small", "coat", SQUARE, (SQUARE, LARGER, OFF_32), ".pth"),
)


class Result(NamedTuple):
    """One run: our error, the error of what the peer reads back, the peer's own rounding (None: not measured)."""

    row: Row
    sides: tuple
    error: float
    back: float
    rounding: float | None
    seconds: float

    @property
    def passes(self):
        return max(self.error, self.back) <= TOLERANCES[self.row.peer]


def shown(sides):
    return f"{sides[0]}x{sides[1]}"


def peer_process(pythons, row, *arguments):
    """Run one task in the peer's own interpreter; its messages are shown only where it fails."""
    command = [pythons[OWNERS[row.peer]], "-W", "ignore", "-m", f"peers.{row.peer}_peer", *map(str, arguments)]
    done = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{row.peer} failed on {row.name}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


def checkpoint_of(pythons, row, work):
    """The peer's file and answers for a row, made where they are not there yet."""
    checkpoint = work / (row.name + row.suffix)
    answers = {sides: work / f"{row.name}_at_{shown(sides)}.npz" for sides in row.runs}
    if not all(path.exists() for path in (checkpoint, *answers.values())):
        suffix = ["--suffix", row.suffix] if row.peer != "kecam" else []
        runs = [shown(sides) for sides in row.runs]
        peer_process(pythons, row, "write", row.variant, shown(row.sides), "--run", *runs, "--folder", work, *suffix)
    return checkpoint, answers


def check_row(pythons, row, work):
    """Yield a `Result` for each size of a row."""
    checkpoint, answers = checkpoint_of(pythons, row, work)
    for sides in row.runs:
        start = time.perf_counter()
        answer = np.load(answers[sides])
        model = kc.build(
            row.variant, input_shape=(*sides, 3), num_classes=1000, classifier_activation=None, pretrained=checkpoint
        )
        ours = predict(model, answer["images"])
        saved = work / f"{keras.backend.backend()}_back{'.h5' if row.peer == 'kecam' else '.safetensors'}"
        kc.save_checkpoint(model, saved, source=OWNERS[row.peer])
        del model
        keras.backend.clear_session()
        gc.collect()
        read_back = work / f"{keras.backend.backend()}_back.npz"
        files = ("--checkpoint", saved, "--images", answers[sides], "--answer", read_back)
        peer_process(pythons, row, "read", row.variant, shown(sides), *files)
        theirs = np.load(read_back)["logits"]
        saved.unlink()
        read_back.unlink()
        yield Result(
            row,
            sides,
            error=difference(row.peer, ours, answer["logits"]),
            back=difference(row.peer, theirs, ours),
            rounding=float(answer["rounding"]) if "rounding" in answer else None,
            seconds=time.perf_counter() - start,
        )


def predict(model, images):
    """Logits; compiled where the backend is JAX, which would compile each operation by itself otherwise."""
    if keras.backend.backend() == "jax":
        return model.predict(images, verbose=0)
    return keras.ops.convert_to_numpy(keras.ops.stop_gradient(model(images, training=False)))


def difference(peer, got, expected):
    """Largest difference in the units of `TOLERANCES`."""
    if got.shape != expected.shape or not np.isfinite(got).all():
        return float("inf")
    scale = np.abs(expected).max() if peer == "timm" else np.std(expected)
    return float(np.abs(got.astype("float64") - expected).max() / scale)


def print_result(result):
    rounding = "-" if result.rounding is None else f"{result.rounding:.1e}"
    verdict = "ok" if result.passes else "FAILS"
    sizes = f"{shown(result.row.sides):8s} {shown(result.sides):8s}"
    print(
        f"{keras.backend.backend():10s} {result.row.peer:6s} {result.row.variant:21s} {sizes} "
        f"{result.error:8.1e} {result.back:8.1e} {rounding:>8s} {result.seconds:7.0f}  {verdict}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timm-python", required=True, help="interpreter of an environment with timm")
    parser.add_argument("--kecam-python", required=True, help="interpreter of an environment with the Keras peer")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("out/release"))
    parser.add_argument("--only", default="*", help="pattern of row names, for instance 'coatnet_0_rw*'")
    parser.add_argument("--large", action="store_true", help="also the large models")
    arguments = parser.parse_args()
    pythons = {"timm": arguments.timm_python, "kecam": arguments.kecam_python}
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    rows = [row for row in ROWS if fnmatch.fnmatch(row.name, arguments.only) and (arguments.large or not row.large)]
    if not rows:
        parser.error(f"no row is named {arguments.only!r}; rows: {', '.join(row.name for row in ROWS)}")
    print("backend    peer   variant               saved at run at   ours     back     rounding seconds")
    # That tables are resized is what is checked here, not news.
    logging.getLogger("keras_coatnet").setLevel(logging.ERROR)
    results = []
    for row in rows:
        for result in check_row(pythons, row, work):
            print_result(result)
            results.append(result)
    failed = [result for result in results if not result.passes]
    print(f"{len(results) - len(failed)} of {len(results)} within their tolerance; worst {worst(results)}")
    sys.exit(bool(failed))


def worst(results):
    """The worst number of each peer."""
    found = {}
    for result in results:
        found[result.row.peer] = max(found.get(result.row.peer, 0.0), result.error, result.back)
    return ", ".join(f"{peer} {error:.1e}" for peer, error in found.items())


if __name__ == "__main__":
    main()
