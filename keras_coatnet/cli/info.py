"""keras-coatnet info NAME: counts, stages, every field and the trained weights of one variant."""

import dataclasses

from keras_coatnet import registry
from keras_coatnet.cli.errors import bad_input
from keras_coatnet.weights.cards import card
from keras_coatnet.weights.manifest import list_pretrained


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "info", help="show one variant: counts, stages, every field of its spec, trained weights"
    )
    parser.add_argument("name", metavar="NAME", help="a name from `keras-coatnet models`")
    parser.set_defaults(run=run)


def run(options):
    from rich.console import Console

    with bad_input():
        family, spec = registry.family_of(options.name)
    console = Console()
    for table in (_counts(spec), _stages(family.list_stages(spec)), _fields(spec), *_weights(options.name)):
        console.print(table)
    return 0


def _counts(spec):
    from rich.table import Table

    count = registry.count(spec)
    table = Table(title=spec.name, show_header=False)
    table.add_row("trainable parameters", f"{count.trainable:,}")
    table.add_row("all parameters", f"{count.parameters:,}")
    table.add_row("multiply-adds", f"{count.macs:,} at {spec.input_size} x {spec.input_size}")
    return table


def _stages(stages):
    from rich.table import Table

    table = Table("stage", "blocks", "width", "map", title="stages")
    for stage in stages:
        height, width = stage.size
        table.add_row(stage.name, stage.blocks, str(stage.width), f"{height} x {width}")
    return table


def _fields(spec):
    from rich.table import Table

    table = Table("field", "value", title="spec")
    for field in dataclasses.fields(spec):
        table.add_row(field.name, repr(getattr(spec, field.name)))
    return table


def _weights(name):
    """A card for every released checkpoint."""
    from rich.table import Table

    for row in list_pretrained(name):
        table = Table(title=f"{row.name} at {row.input_size}", show_header=False)
        for field, text in card(row):
            table.add_row(field, text)
        yield table
