"""keras-coatnet cache list|verify|clear: the folder of downloaded weights."""

import sys

from keras_coatnet.cli.errors import SOME_INPUTS_FAILED, UsageError, bad_input
from keras_coatnet.weights import inventory
from keras_coatnet.weights.cache import cache_home


def add_parser(subparsers):
    parser = subparsers.add_parser("cache", help="list, check or clear the folder of downloaded weights")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, run, text in (
        ("list", list_files, "show the files and their sizes"),
        ("verify", verify_files, "hash every file in full"),
        ("clear", clear_files, "remove files"),
    ):
        subparser = actions.add_parser(action, help=text)
        subparser.add_argument(
            "names", nargs="*", metavar="NAME", help="such as coatnet_0, coatnet_2_rw.sw_in12k or 'coatnet_rmlp_*'"
        )
        subparser.set_defaults(run=run)
        if action == "clear":
            subparser.add_argument("--yes", action="store_true", help="do not ask")


def list_files(options):
    entries = find_entries(options.names)
    show(entries, {entry: entry.kind for entry in entries})
    return 0


def verify_files(options):
    from rich.progress import track

    with bad_input():
        states = {}
        for entry in track(find_entries(options.names), "hashing", console=error_console(), transient=True):
            is_part = entry.kind == inventory.PARTIAL
            states[entry] = entry.kind if is_part else inventory.verify(entry)
    show(states, {entry: state or "sound" for entry, state in states.items()})
    damaged = [entry for entry, state in states.items() if state not in (None, inventory.PARTIAL)]
    if damaged:
        print(f"damaged: {len(damaged)}; what is asked for again is downloaded or converted anew")
    return SOME_INPUTS_FAILED if damaged else 0


def clear_files(options):
    with bad_input():
        entries = find_entries(options.names)
        if not entries:
            print("nothing to clear")
            return 0
        # A row goes as a whole: its records vouch for what is downloaded next.
        folders = {entry.folder for entry in entries}
        what = f"{len(entries)} files of {len(folders)} checkpoints, {shown_size(entries)}, in {cache_home()}"
        if not options.yes and not confirmed(f"Remove {what}?"):
            print("nothing was removed")
            return 0
        inventory.clear(entries)
    print(f"removed {what}")
    return 0


def find_entries(names):
    """The cache's files whose names match; all without names."""
    entries = dict.fromkeys(entry for name in names or ["*"] for entry in inventory.list_cache(name))
    for name in names:
        if not inventory.list_cache(name):
            raise UsageError(f"nothing in {cache_home()} matches {name!r}; `keras-coatnet cache list` shows all")
    return list(entries)


def confirmed(question):
    if not sys.stdin.isatty():
        raise UsageError("clear asks before it removes anything, and nobody is there to answer; --yes answers")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def show(entries, states):
    from rich.console import Console
    from rich.table import Table

    if not entries:
        print(f"{cache_home()} is empty")
        return
    table = Table(caption=f"{shown_size(entries)} in {cache_home()}")
    for heading, justify in (("weights", "left"), ("size", "right"), ("file", "left"), ("MB", "right")):
        table.add_column(heading, justify=justify, overflow="fold")
    table.add_column("state")
    for entry in entries:
        file = entry.path.removeprefix(entry.folder).lstrip("/\\")
        table.add_row(entry.name, str(entry.input_size), file, f"{entry.size / 1e6:,.1f}", states[entry])
    Console().print(table)


def shown_size(entries):
    return f"{sum(entry.size for entry in entries) / 1e6:,.1f} MB"


def error_console():
    from rich.console import Console

    return Console(stderr=True)
