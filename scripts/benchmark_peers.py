"""Speed of ours on each backend against the peers', on equal weights, in processes that live side by side.

    scripts/benchmark_peers [VARIANT ...] --mode inference training --batch-size 1 8 --cores 0,1 --threads 2
    python scripts/benchmark_peers.py coatnet_0_rw --timm-python PYTHON --json peers.json --chart peers.png

`coatnet_*_rw*`, `coatnet_0_timm` and `coat_*` are held against timm, other CoAtNets against keras_cv_attention_models.
Random weights of ours are written in the peer's format; logits, and the loss of the first training step, have to agree
before anything is timed. Every round wakes each process once, in an order drawn anew; printed are medians over rounds
of milliseconds, and of the ratios to each base within a round with lowest and highest.

What is timed (`--subjects` takes shell patterns):
  timm, timm+m            eager, channels last; +m: with the C library told to keep freed memory
  timm compiled+m         torch.compile
  onnxruntime, openvino   timm's model exported by PyTorch; ", legacy export": by its older exporter
  kecam, kecam+m          keras_cv_attention_models in a tf.function
  ours BACKEND            a bare compiled call, as the command line runs it (freed memory kept)
  ours BACKEND, fused     the same of the fused model
  ours BACKEND, plain     without freed memory kept, as a library
  ours BACKEND, keras     through predict_on_batch or fit
"""

import argparse
import contextlib
import itertools
import json
import os
import pathlib
import sys
import time

SCRIPTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
from peers.subjects import list_jobs, prepare  # noqa: E402

import keras_coatnet as kc  # noqa: E402
from keras_coatnet.benchmark.chart import draw_chart  # noqa: E402
from keras_coatnet.benchmark.compare import ceiling_job, compare, thread_environment  # noqa: E402
from keras_coatnet.benchmark.machine import describe_machine, load_average  # noqa: E402
from keras_coatnet.benchmark.measure import Timing  # noqa: E402
from keras_coatnet.benchmark.workers import WorkerFailed  # noqa: E402
from keras_coatnet.cli.arguments import core_numbers, image_size  # noqa: E402

BASES = ("timm+m", "timm", "onnxruntime", "onnxruntime, legacy export", "kecam+m", "kecam")
# Largest difference of logits over their spread, and of losses over the loss.
TOLERANCES = {"float32": 1e-3, "bfloat16": 0.2}


def main():
    options = parse()
    options.folder.mkdir(parents=True, exist_ok=True)
    record = {"machine": describe_machine(), "settings": settings_of(options), "load_before": load_average()}
    record |= {"limits": [], "rows": []}
    begin = time.time()
    for variant in options.variants:
        for sides in options.image_size:
            files = prepare(variant, sides, options)
            for mode in options.mode:
                for batch_size in options.batch_size:
                    jobs = list_jobs(variant, sides, mode, batch_size, files, options)
                    for group in groups_of(jobs, options.at_once):
                        measure(record, variant, mode, batch_size, group, options)
                        save(record, options, begin)
    if options.chart:
        draw_chart(without_repeats(record["rows"]), options.chart, "Ours and the peers")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="*", default=["coatnet_0_rw"])
    parser.add_argument("--timm-python", default=sys.executable)
    parser.add_argument("--kecam-python", default=sys.executable)
    parser.add_argument("--subjects", nargs="+", default=["*"], metavar="PATTERN", help="which (default: all)")
    parser.add_argument("--mode", nargs="+", default=["inference"], choices=("inference", "training"))
    parser.add_argument("--batch-size", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--image-size", type=image_size, nargs="+", default=[(224, 224)])
    parser.add_argument("--dtype", choices=tuple(TOLERANCES), default="float32", help="of ours and of timm in PyTorch")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a measurement, at least (default: 1)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cores", type=core_numbers, help="to stay on, such as 0,1")
    parser.add_argument(
        "--at-once",
        type=int,
        default=8,
        help="processes beside the bases (default: 8)",
    )
    parser.add_argument("--folder", type=pathlib.Path, default=SCRIPTS.parent / "out" / "speed", help="of made files")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--chart", type=pathlib.Path)
    return parser.parse_args()


def without_repeats(rows):
    """Bases are measured again with every group; the chart shows the first of them."""
    key = lambda row: (row["variant"], row["mode"], tuple(row["image_size"]), row["batch_size"], row["name"])  # noqa: E731
    found = {}
    for row in rows:
        found.setdefault(key(row), row)
    return list(found.values())


def settings_of(options):
    """What a reader has to know of how figures came about."""
    return {
        name: getattr(options, name) for name in ("rounds", "seconds", "threads", "cores", "dtype", "at_once", "mode")
    }


def groups_of(jobs, at_once):
    """Lists of jobs that are measured together: the bases and up to so many others, a backend's forms in one list."""
    bases = [job for job in jobs if job.name in BASES]
    others = [job for job in jobs if job.name not in BASES]
    groups = [[]]
    for _, forms in itertools.groupby(others, key=lambda job: job.name.partition(",")[0]):
        forms = list(forms)
        if groups[-1] and len(groups[-1]) + len(forms) > at_once:
            groups.append([])
        groups[-1] += forms
    return [[*bases, *group] for group in groups if bases or group]


def measure(record, variant, mode, batch_size, jobs, options):
    """Time a group and add its rows to the record."""
    differences = {}
    limits = ceiling_job("jax", options.dtype, options.cores, thread_environment(options.threads))
    rows, found = compare(
        jobs,
        ceiling=limits,
        mode=mode,
        batch_size=batch_size,
        rounds=options.rounds,
        seconds=options.seconds,
        check=lambda workers: differences.update(agree(workers, TOLERANCES[options.dtype])),
    )
    macs = kc.count(variant, rows[0]["image_size"]).macs
    for row in rows:
        row |= {"group": len(record["limits"]), "difference": differences.get(row["name"])}
        complete(row, rows, variant, macs, found)
    record["rows"] += rows
    record["limits"].append(found)
    show(rows, found)


def agree(workers, tolerance):
    """{name: largest difference to the first's answers, over their spread}; raises where one is too large."""
    first, differences = np.array(workers[0].started["outputs"]), {}
    for worker in workers[1:]:
        if worker.job.keywords.get("mode") == "fit":
            continue  # its loss is the mean of an epoch's
        found = np.array(worker.started["outputs"])
        spread = first.std() if first.size > 1 else np.abs(first).max()
        difference = float(np.abs(found - first).max() / spread)
        differences[worker.job.name] = difference
        if not difference <= tolerance:
            raise WorkerFailed(
                f"{worker.job.name} answers other than {workers[0].job.name}: by {difference:.1e} of the spread"
            )
    return differences


def complete(row, rows, variant, macs, limits):
    """Add what compares: ratios to each base, FLOP and the floor of the machine."""
    passes = 1 if row["mode"] == "inference" else 3
    flop = 2 * macs * passes * row["batch_size"]
    row["variant"] = variant
    row["flops"] = flop / (row["milliseconds"] / 1000)
    row["utilisation"] = row["flops"] / limits["flops"]
    row["floor_milliseconds"] = 1000 * flop / limits["flops"]
    own = Timing(row["name"], tuple(row["seconds"]))
    row["over"] = {
        base["name"]: own.speed_over(Timing(base["name"], tuple(base["seconds"])))
        for base in rows
        if base["name"] in BASES
    }


def show(rows, limits):
    first = rows[0]
    title = f"{first['variant']}, {first['mode']}, batch {first['batch_size']}, {first['image_size']}"
    print(f"\n{title}; limit {limits['flops'] / 1e9:.0f} GFLOP/s, {limits['bytes_a_second'] / 1e9:.0f} GB/s")
    for row in rows:
        ratios = "  ".join(f"{base} {mid:.2f} ({low:.2f}-{high:.2f})" for base, (mid, low, high) in row["over"].items())
        cost = f"{row['milliseconds']:9.1f} ms {row['utilisation']:5.0%} {(row['peak_bytes'] or 0) / 1e6:7.0f} MB"
        print(f"  {row['name']:28}{cost}  over {ratios}")
    sys.stdout.flush()


def save(record, options, begin):
    record["load_after"], record["minutes"] = load_average(), (time.time() - begin) / 60
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        try:
            main()
        except WorkerFailed as error:
            sys.exit(f"{error.traceback or ''}{error}")
