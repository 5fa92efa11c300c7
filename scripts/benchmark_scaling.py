"""What a CoAtNet costs at other sizes and depths: time, FLOP and memory, with fitted exponents.

    python scripts/benchmark_scaling.py coatnet_0_rw --cores 0,1 --threads 2 --json docs/performance/scaling.json
    python scripts/benchmark_scaling.py --large        # coatnet_5 answers in bfloat16, coatnet_7 is built: 24 GiB each

Time follows (pixels of a side) ^ exponent and (blocks) ^ exponent, by least squares on logarithms. FLOP are arithmetic.
Attention maps, float32: those of the block with the most, which an answer holds, and those of all blocks, which
training holds. Processes of all sizes, and then of all depths, live side by side and are woken in turn. With `--large`
they run one at a time.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

import keras_coatnet as kc
from keras_coatnet.benchmark.compare import (
    backend_environment,
    ceiling_job,
    compare,
    subject_job,
    thread_environment,
)
from keras_coatnet.benchmark.machine import describe_machine, load_average
from keras_coatnet.benchmark.workers import Job, workers_at
from keras_coatnet.cli.arguments import core_numbers
from keras_coatnet.coatnet.plan import plan_blocks
from keras_coatnet.coatnet.sizes import map_sizes

FLOAT32 = 4
GIB = 2**30
LARGEST = 24 * GIB


def main():
    options = parse()
    record = {"machine": describe_machine(), "load_before": load_average()}
    if options.large:
        record["large"] = check_large(options)
    else:
        record |= {"variant": options.variant, "batch_size": options.batch_size, "backend": keras.backend.backend()}
        record |= {"sizes": over_sizes(options), "depths": over_depths(options)}
    record["load_after"] = load_average()
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", nargs="?", default="coatnet_0_rw")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 160, 192, 224, 256, 320, 384, 448, 512])
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 2, 4, 8], help="times the blocks of every stage")
    parser.add_argument("--depth-size", type=int, default=160, help="side of pictures for depths (default: 160)")
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cores", type=core_numbers)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--large-variants", nargs=2, default=["coatnet_5", "coatnet_7"], help=argparse.SUPPRESS)
    parser.add_argument("--large-size", type=int, default=224, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=pathlib.Path)
    return parser.parse_args()


def over_sizes(options):
    spec = kc.get_spec(options.variant)
    rows = timed([{"image_size": (side, side)} for side in options.sizes], options)
    for side, row in zip(options.sizes, rows, strict=True):
        row |= {"side": side, "macs": kc.count(spec, (side, side)).macs, **attention_bytes(spec, side)}
    return shown("size", "side", rows, options)


def over_depths(options):
    spec, side = kc.get_spec(options.variant), options.depth_size
    depths = [tuple(times * depth for depth in spec.depths) for times in options.depths]
    rows = timed([{"image_size": (side, side), "fields": {"depths": each}} for each in depths], options)
    for each, row in zip(depths, rows, strict=True):
        deeper = dataclasses.replace(spec, depths=each)
        row |= {"blocks": sum(each), "macs": kc.count(deeper, (side, side)).macs, **attention_bytes(deeper, side)}
    return shown("depth", "blocks", rows, options)


def timed(subjects, options):
    """Rows of `compare`, one a subject, of which only cost is kept."""
    threads = thread_environment(options.threads)
    jobs = [
        subject_job(options.variant, None, threads, options.cores, batch_size=options.batch_size, **subject)
        for subject in subjects
    ]
    rows, _ = compare(
        jobs,
        ceiling=ceiling_job(cores=options.cores, environment=threads),
        mode="inference",
        batch_size=options.batch_size,
        rounds=options.rounds,
        seconds=options.seconds,
    )
    return [{key: row[key] for key in ("milliseconds", "seconds", "peak_bytes", "utilisation")} for row in rows]


def attention_bytes(spec, side):
    """Of one picture's attention maps: {"largest_map_bytes": of a block, "map_bytes": of all}."""
    grids = map_sizes(spec, (side, side))
    maps = [
        block.num_heads * (grids[block.name][0] * grids[block.name][1]) ** 2 * FLOAT32
        for block in plan_blocks(spec)
        if block.kind == "transformer"
    ]
    return {"largest_map_bytes": max(maps, default=0), "map_bytes": sum(maps)}


def shown(what, key, rows, options):
    """{"rows", "exponents"}, printed."""
    exponents = {
        name: exponent([row[key] for row in rows], [row[name] for row in rows])
        for name in ("milliseconds", "macs", "map_bytes", "peak_bytes")
        if len(rows) > 1 and all(row[name] for row in rows)
    }
    print(f"\n{options.variant}, batch {options.batch_size}, over {what}: {key}, ms, GMAC, attention maps MB, peak MB")
    for row in rows:
        print(
            f"  {row[key]:6}{row['milliseconds']:10.1f}{row['macs'] / 1e9:9.2f}{row['map_bytes'] / 1e6:9.1f}"
            f"{(row['peak_bytes'] or 0) / 1e6:9.0f}"
        )
    print("  exponents: " + ", ".join(f"{name} {value:.2f}" for name, value in exponents.items()))
    return {"rows": rows, "exponents": exponents}


def exponent(places, values):
    """The slope of a line through the logarithms."""
    return float(np.polyfit(np.log(places), np.log(values), 1)[0])


def check_large(options):
    """Peak memory of the whole process, of an answer in bfloat16 and of a build."""
    answered, built = options.large_variants
    threads, sides = thread_environment(options.threads), (options.large_size, options.large_size)
    environment = {**backend_environment(keras.backend.backend()), **threads}
    keywords = {"name": built, "image_size": sides, "dtype": "bfloat16"}
    maker = "keras_coatnet.benchmark.subjects:open_built"
    jobs = {
        "answers": subject_job(
            answered, None, threads, options.cores, dtype="bfloat16", batch_size=1, image_size=sides
        ),
        "is built": Job(built, maker, keywords, environment=environment, cores=options.cores),
    }
    found = []
    for done, job in jobs.items():
        with workers_at([job]) as (worker,):
            memory = worker.memory()
        peak = memory["device_peak"] or memory["peak"]
        found.append({"name": job.name, "done": done, "peak_bytes": peak, "fits": peak <= LARGEST})
        verdict = "within" if peak <= LARGEST else "over"
        print(f"{job.name} {done} in bfloat16 with {peak / GIB:.1f} GiB at most: {verdict} 24 GiB")
    return found


if __name__ == "__main__":
    main()
