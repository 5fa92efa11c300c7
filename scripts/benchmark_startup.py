"""Seconds from a fresh process to the first answer of coatnet_0: ours on each backend, and timm's in the same run.

    python scripts/benchmark_startup.py [--weights] [--rounds 3] [--timm-python PATH]

Processes run one at a time, the kinds in turn (A B C A B C ...); medians are printed. `--timm-python` names the
interpreter of an environment that has timm; without it timm is left out.

With `--weights`, ours loads trained weights by name: from an empty cache, downloading from loopback and converting, and
from a filled one. timm loads a file of this machine. Both files have random values, and the names, shapes and layouts
of the released ones.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
from operator import truediv

from serving import serve, served_file

BACKENDS = ("jax", "tensorflow", "torch")
OUR_VARIANT, TIMM_VARIANT = "coatnet_0", "coatnet_0_rw_224"
MANIFEST = pathlib.Path(__file__).resolve().parents[1] / "weights_manifest.json"
STEPS = ("import", "build", "first prediction", "second prediction")

OURS = """
import json, time
t = [time.perf_counter()]
import numpy as np
import keras_coatnet as kc
t.append(time.perf_counter())
model = kc.CoAtNet("{variant}"{weights})
t.append(time.perf_counter())
x = np.zeros((1, 224, 224, 3), "float32")
model.predict(x, verbose=0)
t.append(time.perf_counter())
model.predict(x, verbose=0)
t.append(time.perf_counter())
print(json.dumps([b - a for a, b in zip(t, t[1:])]))
"""

TIMM = """
import json, time
t = [time.perf_counter()]
import torch
register = torch.library.register_fake
def lenient(name, *args, **kwargs):  # a torchvision of another torch build fails on operators that nothing here needs
    def wrap(function):
        try:
            return register(name, *args, **kwargs)(function)
        except RuntimeError:
            return function
    return wrap
torch.library.register_fake = lenient
import torchvision
torch.library.register_fake = register
import timm
t.append(time.perf_counter())
model = timm.create_model("{variant}"{weights}).eval()
t.append(time.perf_counter())
x = torch.zeros(1, 3, 224, 224)
with torch.inference_mode():
    model(x)
    t.append(time.perf_counter())
    model(x)
t.append(time.perf_counter())
print(json.dumps([b - a for a, b in zip(t, t[1:])]))
"""

WRITE = """
import keras_coatnet as kc
kc.save_checkpoint(kc.CoAtNet({variant!r}), {path!r}, {source!r})
"""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A process to be timed.

    `home` is its cache folder, which `is_cold` has emptied before. `variables` are (name, value) of its environment.
    """

    python: str
    code: str
    backend: str | None = None
    home: pathlib.Path | None = None
    is_cold: bool = False
    variables: tuple = ()


def run(python, code, **variables):
    """The last line that a fresh process prints."""
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", **variables)
    result = subprocess.run([python, "-c", code], env=environment, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{python} failed:\n{result.stdout[-2000:]}{result.stderr[-4000:]}")
    return result.stdout.strip().split("\n")[-1]


def measure(kind):
    """Seconds of each of `STEPS`, and the processor's seconds of the whole process."""
    variables = dict(kind.variables)
    if kind.backend:
        variables["KERAS_BACKEND"] = kind.backend
    if kind.home:
        variables |= {
            "KERAS_COATNET_HOME": str(kind.home),
            "KERAS_COATNET_MANIFEST": str(kind.home.parent / "rows.json"),
        }
        if kind.is_cold:
            shutil.rmtree(kind.home, ignore_errors=True)
    before = processor_seconds()
    steps = json.loads(run(kind.python, kind.code, **variables))
    return [*steps, processor_seconds() - before]


def processor_seconds():
    """Of all processes that have ended; what others do on the machine hardly moves it."""
    times = os.times()
    return times.children_user + times.children_system


def untrained_kinds(timm_python, folder):
    """Ours on each backend, on JAX with what it compiled kept in `folder` too; timm."""
    code = OURS.format(variant=OUR_VARIANT, weights="")
    kinds = {f"{OUR_VARIANT}, {backend}": Kind(sys.executable, code, backend) for backend in BACKENDS}
    kept = (("JAX_COMPILATION_CACHE_DIR", str(folder)), ("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0"))
    kinds[f"{OUR_VARIANT}, jax, compiled before"] = warm = Kind(sys.executable, code, "jax", variables=kept)
    measure(warm)
    if timm_python:
        kinds[f"timm {TIMM_VARIANT}"] = Kind(timm_python, TIMM.format(variant=TIMM_VARIANT, weights=""))
    return kinds


def trained_kinds(timm_python, folder):
    """Files and a manifest for them in `folder`, and what loads them; the warm cache is filled."""
    entry = next(
        entry
        for entry in json.loads(MANIFEST.read_text(encoding="utf-8"))
        if (entry["variant"], entry["input_size"]) == (OUR_VARIANT, 224) and entry["default"]
    )
    path = folder / entry["files"][0]["file"]
    write_file(OUR_VARIANT, path, entry["source"])
    served = {**entry, "files": [served_file(entry["files"][0], serve(folder), path)]}
    (folder / "rows.json").write_text(json.dumps([served]))
    code = OURS.format(variant=OUR_VARIANT, weights=', pretrained="imagenet"')
    kinds = {}
    for backend in BACKENDS:
        for state in ("cold", "warm"):
            kinds[f"{OUR_VARIANT}, {backend}, {state}"] = Kind(
                sys.executable, code, backend, folder / state, is_cold=state == "cold"
            )
    measure(kinds[f"{OUR_VARIANT}, {BACKENDS[0]}, warm"])
    if timm_python:
        path = folder / "timm.safetensors"
        write_file(TIMM_VARIANT.removesuffix("_224"), path, "timm")
        weights = f", pretrained=True, pretrained_cfg_overlay={{'file': {str(path)!r}}}"
        kinds[f"timm {TIMM_VARIANT}"] = Kind(timm_python, TIMM.format(variant=TIMM_VARIANT, weights=weights))
    return kinds


def write_file(variant, path, source):
    run(sys.executable, WRITE.format(variant=variant, path=str(path), source=source))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", action="store_true", help="load trained weights, from an empty and a filled cache")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timm-python", help="interpreter of an environment with timm")
    parser.add_argument("--json", type=pathlib.Path, help="gets every round's seconds of every step")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if options.weights:
            kinds = trained_kinds(options.timm_python, pathlib.Path(name))
        else:
            kinds = untrained_kinds(options.timm_python, pathlib.Path(name))
        load = os.getloadavg()[0]
        times = time_all(kinds, options.rounds)
    print_medians(times)
    if options.json:
        options.json.write_text(json.dumps({"load_before": load, "steps": STEPS, "seconds": times}, indent=1) + "\n")


def time_all(kinds, rounds):
    """{kind: [seconds of each step, for every round]}"""
    times = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for name, kind in kinds.items():
            times[name].append(measure(kind))
    return times


def print_medians(times):
    """Of each step, of their sum to the first answer and of its ratio to timm's in the same round."""
    columns = (*STEPS, "processor's", "to first answer", "(lowest, highest)", "times timm's")
    print(f"{'seconds (medians)':32}" + "".join(f"{column:>18}" for column in columns))
    totals = {kind: [sum(steps[:3]) for steps in rounds] for kind, rounds in times.items()}
    peer = next((totals[kind] for kind in totals if kind.startswith("timm")), None)
    for kind, rounds in times.items():
        medians = [statistics.median(values) for values in (*zip(*rounds, strict=True), totals[kind])]
        spread = f"({min(totals[kind]):.2f}, {max(totals[kind]):.2f})"
        ratio = "-" if peer is None else f"{statistics.median(map(truediv, totals[kind], peer)):.2f}"
        print(f"{kind:32}" + "".join(f"{value:18.2f}" for value in medians) + f"{spread:>18}{ratio:>18}")


if __name__ == "__main__":
    main()
