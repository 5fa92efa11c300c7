"""Where the time of a CoAtNet goes: each block alone on each backend, forward and backward, beside its floor.

    python scripts/profile_blocks.py coatnet_0_rw --cores 0,1 --threads 2 --json docs/performance/profile.json

The backends' processes live side by side and are woken in turn, an order drawn anew each round; equal blocks are timed
once. Backward is the time of both passes less that of the forward pass. The floor of a part is the larger of its FLOP
over the fastest matrix product and its bytes (input, output, weights) over the memory's speed, both measured in the
same rounds. A part alone finds its input in the caches, so that the parts' sum may be below the whole.
"""

import argparse
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "torch")

from keras_coatnet.benchmark.compare import (
    backend_environment,
    ceiling_job,
    limits_of,
    thread_environment,
)
from keras_coatnet.benchmark.machine import describe_machine, load_average
from keras_coatnet.benchmark.measure import measure_in_turn
from keras_coatnet.benchmark.profile import CALLS, floors
from keras_coatnet.benchmark.workers import Job, workers_at
from keras_coatnet.cli.arguments import core_numbers, image_size

BACKENDS = ("jax", "tensorflow", "torch")
MAKER = "keras_coatnet.benchmark.profile:open_profile"


def main():
    options = parse()
    record = {"machine": describe_machine(), "load_before": load_average(), "variant": options.variant}
    record |= {"batch_size": options.batch_size, "rounds": options.rounds, "threads": options.threads}
    keywords = {"name": options.variant, "batch_size": options.batch_size, "image_size": options.image_size}
    keywords["dtype"] = options.dtype
    threads = thread_environment(options.threads)
    jobs = [
        Job(backend, MAKER, keywords, environment={**backend_environment(backend), **threads}, cores=options.cores)
        for backend in options.backends
    ]
    limits = ceiling_job(options.backends[0], options.dtype, options.cores, threads)
    with workers_at([*jobs, limits]) as (*workers, ceiling):
        measures = {("limits", call): bound(ceiling, call) for call in ("matmul", "stream")}
        for worker in workers:
            measures |= {(worker.job.name, call): bound(worker, call) for call in worker.started["first"]}
        timings = dict(zip(measures, measure_in_turn(measures, options.rounds, options.seconds), strict=True))
        found = limits_of(ceiling.started["about"], timings["limits", "matmul"], timings["limits", "stream"])
        medians = {key: timing.median for key, timing in timings.items()}
        record["limits"] = found
        record["backends"] = {
            worker.job.name: rows_of(worker.job.name, worker.started["about"]["parts"], medians, found)
            for worker in workers
        }
    record["load_after"] = load_average()
    for backend, rows in record["backends"].items():
        show(backend, rows)
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", nargs="?", default="coatnet_0_rw")
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--image-size", type=image_size)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of a measurement, at least (default: 0.3)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cores", type=core_numbers, help="to stay on, such as 0,1")
    parser.add_argument("--json", type=pathlib.Path)
    return parser.parse_args()


def bound(worker, call):
    return lambda at_least: worker.seconds(at_least, call)


def rows_of(backend, parts, medians, limits):
    """A row a part, with milliseconds of all its members together, and one of the whole model."""
    rows = []
    for part in parts:
        count, floor = len(part["members"]), floors(part, limits)
        times = {call: 1000 * count * medians[backend, f"{part['name']}/{call}"] for call in CALLS}
        bounds = {direction: 1000 * count * max(each.values()) for direction, each in floor.items()}
        row = {"name": part["name"], "count": count, "gflop": count * part["flop"] / 1e9}
        row |= {"bound_by": max(floor["forward"], key=floor["forward"].get)}
        rows.append({**row, **gaps(times, bounds)})
    whole = {call: 1000 * medians[backend, f"whole/{call}"] for call in CALLS}
    bounds = {direction: sum(row[f"{direction}_floor"] for row in rows) for direction in ("forward", "backward")}
    gflop = sum(row["gflop"] for row in rows)
    return [*rows, {"name": "whole", "count": 1, "gflop": gflop, "bound_by": None, **gaps(whole, bounds)}]


def gaps(times, bounds):
    """Milliseconds of each pass, of its floor, and between them."""
    backward = max(0.0, times["both"] - times["forward"])
    return {
        "inference": times["inference"],
        "training_forward": times["forward"],
        "backward": backward,
        "forward_floor": bounds["forward"],
        "backward_floor": bounds["backward"],
        "inference_gap": times["inference"] - bounds["forward"],
        "backward_gap": backward - bounds["backward"],
    }


def show(backend, rows):
    print(f"\n{backend}, milliseconds   inference   floor     gap   training forward   backward   floor     gap")
    for row in rows:
        name = row["name"] if row["count"] == 1 else f"{row['name']} x{row['count']}"
        print(
            f"  {name:22}{row['inference']:12.1f}{row['forward_floor']:8.1f}{row['inference_gap']:8.1f}"
            f"{row['training_forward']:19.1f}{row['backward']:11.1f}{row['backward_floor']:8.1f}{row['backward_gap']:8.1f}"
        )


if __name__ == "__main__":
    main()
