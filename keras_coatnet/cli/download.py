"""keras-coatnet download NAME...: trained weights into the cache."""

import sys

from keras_coatnet import registry
from keras_coatnet.cli.errors import SOME_INPUTS_FAILED, UsageError, bad_input
from keras_coatnet.weights.download.fetch import fetch
from keras_coatnet.weights.download.progress import visible_progress
from keras_coatnet.weights.manifest import DEFAULT_TAG, find_rows, list_pretrained


def add_parser(subparsers):
    parser = subparsers.add_parser("download", help="put trained weights into the cache, checked")
    parser.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help="such as coatnet_0 (its ImageNet-1k weights), coatnet_2_rw.sw_in12k or 'coatnet_rmlp_*'",
    )
    parser.set_defaults(run=run)


def run(options):
    with bad_input():
        rows = list({row.key: row for name in options.names for row in rows_of(name)}.values())
    progress, failed = visible_progress(), 0
    for row in rows:
        try:
            path = fetch(row, progress, verify=True)
        except OSError as error:
            print(f"keras-coatnet download: {error}", file=sys.stderr)
            failed += 1
        else:
            print(f"{row.name} at {row.input_size}: {path}")
    return SOME_INPUTS_FAILED if failed else 0


def rows_of(name):
    """The manifest rows that a name on the command line means.

    A variant alone means what `pretrained="imagenet"` means, or its only tag.
    """
    if any(sign in name for sign in "*?["):
        rows = list_pretrained(name)
        if not rows:
            raise UsageError(f"no trained weights match {name!r}; list_pretrained() names all there are")
        return rows
    variant, _, tag = name.partition(".")
    known = list_pretrained(variant)
    if not known:
        registry.get_spec(variant)  # an unknown name is told with the nearest ones
    if not tag and len({row.tag for row in known}) == 1:
        return known
    return find_rows(variant, tag or DEFAULT_TAG)
