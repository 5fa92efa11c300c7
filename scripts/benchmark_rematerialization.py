"""Peak memory and time of a training step that keeps attention maps, or makes them again for the gradients.

    python scripts/benchmark_rematerialization.py coatnet_0_rw --image-size 512 --batch-size 32 --dtype mixed_bfloat16

One process at a time, since the peak of one must not take another's memory. On a GPU the peak is the GPU's.
"""

import argparse
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "jax")

from keras_coatnet.benchmark.compare import subject_job, thread_environment
from keras_coatnet.benchmark.machine import describe_machine
from keras_coatnet.benchmark.workers import time_workers, workers_at
from keras_coatnet.cli.arguments import core_numbers, image_size

# Of the first losses; bfloat16 rounds at each of many layers.
TOLERANCE = 0.02
FORMS = {"kept": False, "rematerialized": True}


def main():
    options = parse()
    rows = []
    for name, rematerialized in FORMS.items():
        keywords = {"mode": "training", "image_size": options.image_size, "batch_size": options.batch_size}
        keywords |= {"dtype": options.dtype, "rematerialized": rematerialized}
        threads = thread_environment(options.threads)
        job = subject_job(options.variant, None, threads, options.cores, name, **keywords)
        with workers_at([job]) as workers:
            (timing,) = time_workers(workers, options.rounds, options.seconds)
            memory = workers[0].memory()
        peak = memory["device_peak"] or memory["peak"]
        loss = workers[0].started["outputs"][0][0]
        rows.append({"name": name, "peak_bytes": peak, "seconds": timing.seconds, "loss": loss})
        print(f"{name:24}{peak / 1e9:8.2f} GB{1000 * timing.median:10.1f} ms   first loss {loss:.5f}")
    losses = [row["loss"] for row in rows]
    if not abs(losses[0] - losses[1]) <= TOLERANCE * losses[0]:
        sys.exit(f"rematerialized, the first loss is another one: {losses}")
    if options.json:
        settings = {"variant": options.variant, "image_size": options.image_size, "batch_size": options.batch_size}
        record = {"machine": describe_machine(), **settings, "dtype": options.dtype, "rows": rows}
        options.json.write_text(json.dumps(record, indent=1) + "\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", nargs="?", default="coatnet_0_rw")
    parser.add_argument("--image-size", type=image_size, default=(512, 512))
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--dtype", default="mixed_bfloat16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--cores", type=core_numbers)
    parser.add_argument("--json", type=pathlib.Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
