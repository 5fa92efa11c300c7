"""Exit codes, and what is the user's to mend: one line and exit code 2."""

from contextlib import contextmanager

SOME_INPUTS_FAILED = 1
WRONG_USAGE = 2
BROKEN_PIPE = 1  # as rich, which ends the process by itself where it is the one that writes
INTERRUPTED = 130


class UsageError(Exception):
    """A wrong argument or input; `main` prints the message as one line and exits with code 2."""


@contextmanager
def bad_input():
    """Inside this block only what the user handed in is looked at, so that its errors are the user's to mend."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise UsageError(" ".join(str(error).split())) from error
