"""keras-coatnet: the commands, and what all of them do about errors."""

import argparse
import os
import sys

from keras_coatnet.allocator import keep_freed_memory
from keras_coatnet.cli import (
    app,
    benchmark,
    cache,
    convert,
    data,
    download,
    evaluate,
    explain,
    export,
    info,
    models,
    predict,
    train,
)
from keras_coatnet.cli.errors import BROKEN_PIPE, INTERRUPTED, WRONG_USAGE, UsageError
from keras_coatnet.deploy.runtimes import is_exported
from keras_coatnet.version import __version__

# Those that compute with Keras in this process. What runs exported files has allocators of its own.
WITH_KERAS = ("train", "evaluate", "predict", "explain", "app")
COMMANDS = (models, info, data, train, evaluate, predict, explain, app, export, benchmark, convert, download, cache)


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage before it."""

    def error(self, message):
        self.exit(WRONG_USAGE, f"{self.prog}: error: {message}\n")


def main(arguments=None):
    """Runs one command.

    Args:
        arguments: list of strings; the process's own if None.

    Returns: the exit code: 0, 1 if some inputs failed or the reader of the output went away, 2 for wrong arguments, 130
        after Ctrl-C.
    """
    options = make_parser().parse_args(arguments)
    # Where the arguments are handed over, the process is somebody else's.
    if arguments is None and options.command in WITH_KERAS and not is_exported(options.model or ""):
        keep_freed_memory()
    try:
        code = options.run(options)
        sys.stdout.flush()
        return code
    except UsageError as error:
        print(f"keras-coatnet {options.command}: error: {error}", file=sys.stderr)
        return WRONG_USAGE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough. What is still buffered must not be written into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def make_parser():
    parser = OneLineParser(prog="keras-coatnet", description="CoAtNet for Keras 3.")
    parser.add_argument("--version", action="version", version=f"keras-coatnet {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
