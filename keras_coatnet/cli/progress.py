"""The bar on standard error, where that is a terminal."""

import sys
from contextlib import contextmanager


@contextmanager
def progress_display(total, what):
    """Yields a function to call after each step; draws a bar on standard error where that is a terminal.

    Args:
        total: how many steps there will be; None where nobody knows.
        what: the steps are, such as "pictures".
    """
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    # Rows that go to the same terminal are printed above the bar; rows that go elsewhere are left alone.
    with Progress(console=Console(stderr=True), redirect_stdout=sys.stdout.isatty(), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)
