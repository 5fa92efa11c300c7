"""Seconds from a fresh process to the first answer of coatnet_0: ours on each backend, and timm's in the same run.

    python scripts/benchmark_startup.py [--rounds 3] [--timm-python PATH]

Processes run one at a time, the kinds in turn (A B C A B C ...); medians are printed. `--timm-python` names the
interpreter of an environment that has timm; without it timm is left out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

STEPS = ("import", "build", "first prediction", "second prediction")

OURS = """
import json, time
t = [time.perf_counter()]
import numpy as np
import keras_coatnet as kc
t.append(time.perf_counter())
model = kc.CoAtNet("{variant}")
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
model = timm.create_model("{variant}").eval()
t.append(time.perf_counter())
x = torch.zeros(1, 3, 224, 224)
with torch.inference_mode():
    model(x)
    t.append(time.perf_counter())
    model(x)
t.append(time.perf_counter())
print(json.dumps([b - a for a, b in zip(t, t[1:])]))
"""


def measure(python, code, backend=None):
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    if backend:
        environment["KERAS_BACKEND"] = backend
    result = subprocess.run([python, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return json.loads(result.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timm-python", help="interpreter of an environment with timm")
    options = parser.parse_args()
    kinds = {
        f"coatnet_0, {backend}": (sys.executable, OURS.format(variant="coatnet_0"), backend)
        for backend in ("jax", "tensorflow", "torch")
    }
    if options.timm_python:
        kinds["timm coatnet_0_rw_224"] = (options.timm_python, TIMM.format(variant="coatnet_0_rw_224"), None)
    times = {kind: [] for kind in kinds}
    for _ in range(options.rounds):
        for kind, arguments in kinds.items():
            times[kind].append(measure(*arguments))
    print(f"{'seconds (medians)':24}" + "".join(f"{step:>20}" for step in STEPS) + f"{'to first answer':>20}")
    for kind, rounds in times.items():
        medians = [statistics.median(step) for step in zip(*rounds, strict=True)]
        print(f"{kind:24}" + "".join(f"{value:20.2f}" for value in (*medians, sum(medians[:3]))))


if __name__ == "__main__":
    main()
