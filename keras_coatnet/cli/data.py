"""keras-coatnet data check|show: what a data set holds, and what a recipe makes of it."""

from pathlib import Path

from keras_coatnet.cli.arguments import positive_integer, seed
from keras_coatnet.cli.errors import SOME_INPUTS_FAILED, bad_input
from keras_coatnet.training.data.check import check_data
from keras_coatnet.training.data.contact_sheet import draw_contact_sheet
from keras_coatnet.training.data.sources import open_data
from keras_coatnet.training.recipes import get_recipe, list_recipes
from keras_coatnet.weights.atomic import replacing

MOST_ROWS, MOST_LINES = 40, 20
WHERE = "one folder a class, or train/, val/ and test/ of those; a .csv, .json or .jsonl list; or tfds:NAME"


def add_parser(subparsers):
    parser = subparsers.add_parser("data", help="check a data set, or show what a recipe makes of it")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="read every picture once and say what is wrong")
    check.add_argument("data", metavar="DIR", help=WHERE)
    check.set_defaults(run=run_check)
    show = actions.add_parser("show", help="draw a contact sheet of augmented pictures")
    show.add_argument("data", metavar="DIR", help=WHERE)
    show.add_argument("--recipe", required=True, metavar="NAME", help=f"one of {', '.join(list_recipes())}")
    show.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="another value in the recipe")
    show.add_argument("--image-size", type=positive_integer, metavar="N", help="side of the pictures, in pixels")
    show.add_argument("--pictures", type=positive_integer, default=8, metavar="N", help="rows (default: 8)")
    show.add_argument("--seed", type=seed, default=0, metavar="N", help="(default: 0)")
    show.add_argument("--out", default="contact_sheet.png", metavar="FILE", help="(default: contact_sheet.png)")
    show.set_defaults(run=run_show)


def run_check(options):
    from rich.console import Console
    from rich.progress import Progress

    with bad_input():
        data = open_data(options.data)
    total = sum(len(part) for part in (data.train, data.held_out, data.test) if part is not None)
    with Progress(transient=True) as progress:
        task = progress.add_task("reading pictures", total=total)
        report = check_data(data, on_read=lambda: progress.advance(task))
    Console().print(counts_table(report))
    for line in report_lines(report):
        print(line)
    print("good" if report.is_good else "not good; see above")
    return 0 if report.is_good else SOME_INPUTS_FAILED


def counts_table(report):
    """Pictures of each class and part."""
    from rich.table import Table

    table = Table()
    table.add_column("class")
    for part in report.counts:
        table.add_column(part, justify="right")
    for label, name in list(enumerate(report.classes))[:MOST_ROWS]:
        table.add_row(name, *(f"{counts[label]:,}" for counts in report.counts.values()))
    if len(report.classes) > MOST_ROWS:
        table.add_row(f"and {len(report.classes) - MOST_ROWS} more", *("" for _ in report.counts))
    table.add_section()
    table.add_row(f"{len(report.classes)} classes", *(f"{counts.total():,}" for counts in report.counts.values()))
    return table


def report_lines(report):
    """What is worth a word, bad things first."""
    yield from listed("unreadable", [reason for _, reason in report.unreadable])
    yield from listed("class without a readable picture to train on", report.empty_classes)
    yield from listed(
        "classes of nearly the same name", [" and ".join(map(repr, group)) for group in report.similar_classes]
    )
    harmful = report.harmful_copies
    yield from listed("the same picture in several classes or parts", [describe(report, group) for group in harmful])
    harmless = len(report.copies) - len(harmful)
    if harmless:
        yield f"{harmless:,} pictures are there more than once in their class and part"
    if report.repeated_names:
        examples = ", ".join(report.repeated_names[:3])
        yield f"{len(report.repeated_names):,} file names are in several parts, such as {examples}"
    if report.sizes:
        (low, middle, high) = (f"{height} x {width}" for height, width in report.size_range())
        yield f"sizes, height x width: {low} to {high}, median {middle}"


def listed(title, lines):
    """A line each, the first twenty."""
    if lines:
        yield f"{len(lines):,} x {title}:"
        yield from (f"  {line}" for line in lines[:MOST_LINES])
        if len(lines) > MOST_LINES:
            yield f"  and {len(lines) - MOST_LINES:,} more"


def describe(report, group):
    return "; ".join(f"{name} ({part}, {report.classes[label]})" for part, label, name in group)


def run_show(options):
    with bad_input():
        recipe = get_recipe(options.recipe).override(*options.set)
        if options.image_size:
            recipe = recipe.replace(image_size=options.image_size)
        data = open_data(options.data, options.seed)
        target = Path(options.out).with_suffix(Path(options.out).suffix or ".png")
        sheet = draw_contact_sheet(data, recipe, pictures=options.pictures, seed=options.seed)
        with replacing(target) as part:
            sheet.save(part)
    print(f"{target}: {sheet.width} x {sheet.height} pixels")
    return 0
