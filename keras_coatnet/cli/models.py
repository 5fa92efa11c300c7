"""keras-coatnet models [PATTERN]: a table of variants."""

from keras_coatnet import registry
from keras_coatnet.cli.errors import UsageError


def add_parser(subparsers):
    parser = subparsers.add_parser("models", help="list the variants")
    parser.add_argument("pattern", nargs="?", default="*", metavar="PATTERN", help="such as 'coatnet_*_paper'")
    parser.set_defaults(run=run)


def run(options):
    from rich.console import Console
    from rich.table import Table

    names = registry.list_variants(options.pattern)
    if not names:
        raise UsageError(f"no variant matches {options.pattern!r}; without a pattern all are listed")
    table = Table()
    for heading, justify in (("name", "left"), ("origin", "left"), ("parameters", "right"), ("MACs", "right")):
        table.add_column(heading, justify=justify, no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    for name in names:
        spec, count = registry.get_spec(name), registry.count(name)
        table.add_row(
            name, spec.family, f"{count.trainable / 1e6:,.2f} M", f"{count.macs / 1e9:,.2f} G", str(spec.input_size)
        )
    Console().print(table)
    return 0
