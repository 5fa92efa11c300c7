"""How a download tells where it is: an object with a method for each event, drawn by rich where someone is looking."""

import sys


class Progress:
    """What `fetch` calls; this one says nothing. Make a subclass to show it your way."""

    def open(self, name):
        """A file is wanted that is not in the cache."""

    def wait(self):
        """Another process holds the file; this one waits for it."""

    def start(self, done, total):
        """Bytes begin to come: `done` of `total` are there, which is None if nobody says. Called again at a retry."""

    def advance(self, count):
        """So many bytes have come."""

    def retry(self, reason):
        """A try failed, in words, and another one follows."""

    def close(self):
        """The file is there, or it failed."""


SILENT = Progress()


class BarProgress(Progress):
    """A bar on a terminal or in a notebook.

    Args:
        console: `rich.console.Console`.
    """

    def __init__(self, console):
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self.make_bar = lambda: Progress(*columns, TimeRemainingColumn(), console=console)
        self.bar = None

    def open(self, name):
        self.name, self.bar = name, self.make_bar()
        self.task = self.bar.add_task(name, total=None)
        self.bar.start()

    def wait(self):
        self.bar.update(self.task, description=f"{self.name} (another process downloads it)")

    def start(self, done, total):
        self.bar.update(self.task, description=self.name, completed=done, total=total)

    def advance(self, count):
        self.bar.update(self.task, advance=count)

    def retry(self, reason):
        self.bar.console.print(f"{self.name}: {reason}", markup=False, highlight=False, soft_wrap=True)

    def close(self):
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


class LineProgress(Progress):
    """One line a file and one a further try, for logs and pipes, where a bar would be noise.

    Args:
        stream: to write to.
    """

    def __init__(self, stream):
        self.stream, self.said = stream, True

    def open(self, name):
        self.name, self.said = name, False

    def start(self, done, total):
        if not self.said:
            size = "" if total is None else f" ({total / 1e6:,.1f} MB)"
            self.stream.write(f"downloading {self.name}{size}\n")
            self.stream.flush()
        self.said = True

    def retry(self, reason):
        self.stream.write(f"{self.name}: {reason}\n")
        self.stream.flush()


def visible_progress():
    """A bar where someone looks at a terminal or a notebook, else one line a file; on standard error."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_jupyter or console.is_terminal:
        return BarProgress(console)
    return LineProgress(sys.stderr)
