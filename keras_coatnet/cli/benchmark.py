"""keras-coatnet benchmark [NAME|FILE]...: speed, memory and start-up of several, timed in turn."""

import argparse
import importlib.util
import itertools
import json
import sys

from keras_coatnet.benchmark.chart import draw_chart
from keras_coatnet.benchmark.compare import ceiling_job, compare, measurements, subject_job, thread_environment
from keras_coatnet.benchmark.machine import describe_machine, load_average
from keras_coatnet.benchmark.subjects import MODES, check_subject
from keras_coatnet.benchmark.workers import WorkerFailed
from keras_coatnet.cli.arguments import core_numbers, image_size, positive_integer, positive_number
from keras_coatnet.cli.errors import UsageError, bad_input
from keras_coatnet.cli.progress import progress_display
from keras_coatnet.deploy.runtimes import is_exported
from keras_coatnet.weights.atomic import replacing

EXAMPLES = """
Each has a process of its own, which is woken once a round, in an order drawn anew. Shown are:
  speed    against the first row: the median of the rounds' ratios, and their range
  limit    multiply-adds a second, as a share of a large matrix product's in the same rounds and the first dtype
  MB       most memory, above the process before the model was built
  start    seconds to import, to build and to compile

modes:
  inference, training                     a compiled answer, or step of AdamW, on data that is there already
  predict_on_batch, train_on_batch, fit   Keras' own functions around them

examples:
  keras-coatnet benchmark coatnet_0 --fused --batch-size 1 8
  keras-coatnet benchmark coatnet_0 --backends jax torch tensorflow --mode inference training --chart speed.png
  keras-coatnet benchmark coatnet_0 --image-size 192 224 256 --out sizes.json
  keras-coatnet benchmark coatnet_0 --dtype float32 bfloat16
  keras-coatnet benchmark model.onnx model.tflite model.xml
"""
DEFAULT_NAME = "coatnet_0"
BACKENDS = ("jax", "tensorflow", "torch")
DTYPES = ("float32", "bfloat16", "float16", "mixed_bfloat16", "mixed_float16")
CHART_ENDINGS = (".png", ".svg", ".pdf")
HEADINGS = ("ms", "images/s", "speed", "range", "limit", "MB", "start s")


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "benchmark",
        help="time models and exported files beside each other",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names",
        nargs="*",
        default=[DEFAULT_NAME],
        metavar="NAME|FILE",
        help=f"variant, saved model or exported file (default: {DEFAULT_NAME})",
    )
    parser.add_argument("--mode", nargs="+", default=["inference"], choices=MODES, help="(default: inference)")
    parser.add_argument(
        "--batch-size", type=positive_integer, nargs="+", default=[1, 8], metavar="N", help="(default: 1 8)"
    )
    parser.add_argument(
        "--image-size",
        type=image_size,
        nargs="+",
        default=[None],
        metavar="N|HxW",
        help="of variants (default: each one's own)",
    )
    parser.add_argument(
        "--backends", nargs="+", default=[None], choices=BACKENDS, help="of Keras (default: the one in use)"
    )
    parser.add_argument(
        "--dtype", nargs="+", choices=DTYPES, default=["float32"], help="policies of variants (default: float32)"
    )
    parser.add_argument("--fused", action="store_true", help="time each variant's fused model too")
    parser.add_argument("--rounds", type=positive_integer, default=5, metavar="N", help="(default: 5)")
    parser.add_argument(
        "--seconds", type=positive_number, default=0.5, metavar="X", help="of a measurement, at least (default: 0.5)"
    )
    parser.add_argument(
        "--threads", type=positive_integer, metavar="N", help="of each process (default: its own choice)"
    )
    parser.add_argument("--cores", type=core_numbers, metavar="N,N", help="to stay on, such as 0,1 (Linux)")
    parser.add_argument("--json", action="store_true", help="print a JSON object a row, with every round's seconds")
    parser.add_argument("--out", metavar="FILE.json", help="gets the rows, the limits and what the machine is")
    parser.add_argument("--chart", metavar="FILE", help=f"gets a chart ({', '.join(CHART_ENDINGS)}; needs matplotlib)")
    parser.set_defaults(run=run)


def run(options):
    check_options(options)
    groups = list(itertools.product(options.mode, options.batch_size, options.image_size))
    jobs = {group: list(jobs_of(options, *group)) for group in groups}
    total = sum(measurements(len(found), options.rounds) for found in jobs.values())
    record = {"machine": describe_machine(), "load_before": load_average(), "limits": [], "rows": []}
    with progress_display(total, "measurements") as advance:
        for group, found in jobs.items():
            rows, limits = measure(found, group, options, advance)
            record["rows"] += rows
            record["limits"].append(limits)
    record["load_after"] = load_average()
    show = show_json if options.json else show_table
    show(record["rows"])
    leave(record, options)
    return 0


def check_options(options):
    """Refuses before any work what cannot be."""
    with bad_input():
        for name, mode in itertools.product(options.names, options.mode):
            check_subject(name, mode)
    if options.chart is not None:
        if not options.chart.lower().endswith(CHART_ENDINGS):
            raise UsageError(f"--chart writes {', '.join(CHART_ENDINGS)}; got {options.chart!r}")
        if importlib.util.find_spec("matplotlib") is None:
            raise UsageError("--chart needs matplotlib: pip install matplotlib")


def jobs_of(options, mode, batch_size, image_size):
    """What is timed side by side."""
    shared = {"environment": thread_environment(options.threads), "cores": options.cores, "mode": mode}
    for name in options.names:
        if is_exported(name):
            yield subject_job(name, batch_size=batch_size, **shared)
            continue
        for backend, dtype in itertools.product(options.backends, options.dtype):
            of_models = {**shared, "image_size": image_size, "dtype": dtype, "batch_size": batch_size}
            label = name if len(options.dtype) == 1 else f"{name} {dtype}"
            yield subject_job(name, backend, label=label, **of_models)
            if options.fused and mode in ("inference", "predict_on_batch"):
                yield subject_job(name, backend, label=f"{label} fused", fused=True, **of_models)


def measure(jobs, group, options, advance):
    mode, batch_size, _ = group
    product = options.dtype[0].removeprefix("mixed_")
    limits = ceiling_job(
        options.backends[0], product, cores=options.cores, environment=thread_environment(options.threads)
    )
    try:
        return compare(
            jobs,
            ceiling=limits,
            mode=mode,
            batch_size=batch_size,
            rounds=options.rounds,
            seconds=options.seconds,
            advance=advance,
        )
    except WorkerFailed as error:
        if error.kind not in ("ValueError", "NotFinite", "ModuleNotFoundError"):
            # Nothing that the user could mend: the whole story.
            sys.stderr.write(error.traceback or "")
        raise UsageError(str(error)) from None


def leave(record, options):
    """Writes the files that were asked for."""
    with bad_input():
        if options.out is not None:
            with replacing(options.out) as part, open(part, "w", encoding="utf-8") as file:
                json.dump(record, file, indent=1)
                file.write("\n")
        if options.chart is not None:
            draw_chart(record["rows"], options.chart)


def show_json(rows):
    for each in rows:
        sys.stdout.write(json.dumps(each) + "\n")


def show_table(rows):
    """A table for each mode, batch and size."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for (mode, batch_size, (height, width)), group in itertools.groupby(rows, group_of):
        table = Table(title=f"{mode}, batch {batch_size}, {height} x {width} pixels", title_justify="left")
        table.add_column("name", overflow="fold")
        table.add_column("runtime", no_wrap=True)
        for heading in HEADINGS:
            table.add_column(heading, justify="right", no_wrap=True)
        for each in group:
            table.add_row(*cells_of(each))
        console.print(table)


def group_of(row):
    return row["mode"], row["batch_size"], tuple(row["image_size"])


def cells_of(row):
    slowest, fastest = row["speed_range"]
    start_up = sum(row[key] or 0.0 for key in ("import_seconds", "build_seconds", "compile_seconds"))
    return (
        row["name"],
        row["runtime"],
        f"{row['milliseconds']:,.1f}",
        f"{row['images_a_second']:,.1f}",
        f"{row['speed_over_first']:.2f}",
        f"{slowest:.2f}-{fastest:.2f}",
        "-" if row["utilisation"] is None else f"{row['utilisation']:.0%}",
        "-" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:,.0f}",
        f"{start_up:.1f}",
    )
