"""keras-coatnet benchmark [NAME|FILE]...: latency and images a second of several, timed in turn."""

import argparse
import json
import sys

from keras_coatnet.benchmark.measure import measure_in_turn
from keras_coatnet.benchmark.subjects import NotFinite, check_subject, open_subjects
from keras_coatnet.cli.arguments import image_size, positive_integer
from keras_coatnet.cli.errors import UsageError, bad_input
from keras_coatnet.cli.progress import progress_display

EXAMPLES = """
Each is timed once a round, in turn; shown are the median over the rounds and the speed against the first row, as the
median of the rounds' ratios with their range.

examples:
  keras-coatnet benchmark coatnet_0 --fused --batch-size 1 8
  keras-coatnet benchmark model.onnx model.tflite model.xml
"""
DEFAULT_NAME = "coatnet_0"


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
    parser.add_argument(
        "--batch-size", type=positive_integer, nargs="+", default=[1, 8], metavar="N", help="(default: 1 8)"
    )
    parser.add_argument("--image-size", type=image_size, metavar="N|HxW", help="of variants (default: each one's own)")
    parser.add_argument("--rounds", type=positive_integer, default=5, metavar="N", help="(default: 5)")
    parser.add_argument("--fused", action="store_true", help="time each variant's fused model too")
    parser.add_argument("--json", action="store_true", help="a JSON object a row, with every round's seconds")
    parser.set_defaults(run=run)


def run(options):
    with bad_input():
        for name in options.names:
            check_subject(name)
        subjects = [
            subject for name in options.names for subject in open_subjects(name, options.image_size, options.fused)
        ]
    rows = []
    with progress_display(len(subjects) * len(options.batch_size) * options.rounds, "measurements") as advance:
        for batch_size in options.batch_size:
            try:
                calls = {index: subject.call_on(batch_size) for index, subject in enumerate(subjects)}
            except NotFinite as error:
                raise UsageError(str(error)) from None
            timings = measure_in_turn(calls, options.rounds, advance=advance)
            rows += [row(subjects[timing.name], batch_size, timing, timings[0]) for timing in timings]
    show = show_json if options.json else show_table
    show(rows)
    return 0


def row(subject, batch_size, timing, first):
    """What is known of one subject at one batch size."""
    speed, slowest, fastest = timing.speed_over(first)
    return {
        "name": subject.name,
        "runtime": subject.runtime,
        "image_size": subject.size,
        "batch_size": batch_size,
        "milliseconds": 1000 * timing.median,
        "images_a_second": batch_size / timing.median,
        "speed_over_first": speed,
        "speed_range": (slowest, fastest),
        "seconds": timing.seconds,
    }


def show_json(rows):
    for each in rows:
        sys.stdout.write(json.dumps(each) + "\n")


def show_table(rows):
    from rich.console import Console
    from rich.table import Table

    table = Table()
    table.add_column("name", overflow="fold")
    table.add_column("runtime", no_wrap=True)
    table.add_column("pixels", no_wrap=True)
    for heading in ("batch", "ms", "images/s", "speed", "range"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in rows:
        height, width = each["image_size"]
        slowest, fastest = each["speed_range"]
        table.add_row(
            each["name"],
            each["runtime"],
            f"{height} x {width}",
            str(each["batch_size"]),
            f"{each['milliseconds']:,.1f}",
            f"{each['images_a_second']:,.1f}",
            f"{each['speed_over_first']:.2f}",
            f"{slowest:.2f}-{fastest:.2f}",
        )
    Console().print(table)
