"""Write docs/commands.md: every command with its arguments, read off the parsers themselves.

python scripts/command_page.py           # writes the page
python scripts/command_page.py --check   # writes nothing; exit status 1 where the page is stale
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from keras_coatnet.cli.main import make_parser  # noqa: E402

PAGE = ROOT / "docs" / "commands.md"
INTRODUCTION = """# Command line

`keras-coatnet COMMAND --help` prints the same. Results go to standard output, everything else to standard error. Exit
codes: 0; 1 where some inputs failed; 2 for wrong arguments, before any work; 130 after Ctrl-C. This page is written by
`scripts/command_page.py`.
"""


def page():
    """The text of the page."""
    return "\n".join([INTRODUCTION, *sections(make_parser(), level=2)])


def sections(parser, level):
    """Lines of all commands below a parser, in the order of its help."""
    group = subcommands(parser)
    helps = {choice.dest: choice.help for choice in group._choices_actions}
    for name, command in group.choices.items():
        yield from [f"{'#' * level} {command.prog}", "", sentence(helps[name]), ""]
        if subcommands(command) is not None:
            yield from sections(command, level + 1)
        else:
            yield from arguments(command)


def subcommands(parser):
    return next((action for action in parser._actions if isinstance(action, argparse._SubParsersAction)), None)


def arguments(command):
    """A list of the arguments, then notes and examples as they stand."""
    formatter = command._get_formatter()
    shown = [action for action in command._actions if action.dest != "help" and action.help != argparse.SUPPRESS]
    for action in shown:
        meaning = formatter._expand_help(action) if action.help else ""
        yield f"- `{invocation(action)}`{': ' if meaning else ''}{meaning}"
    yield ""
    if command.epilog:
        yield from ["```text", command.epilog.strip("\n"), "```", ""]


def invocation(action):
    """As one types it: `--top N`, `IMAGE ...`."""
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    value = " ".join(value) if isinstance(value, tuple) else value
    several = " ..." if action.nargs in ("+", "*") or (isinstance(action.nargs, int) and action.nargs > 1) else ""
    if not action.option_strings:
        return f"[{value}]" if action.nargs == "?" else value + several
    names = ", ".join(action.option_strings)
    return names if action.nargs == 0 else f"{names} {value}{several}"


def sentence(text):
    return f"{text[0].upper()}{text[1:]}."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the page is stale")
    text = page()
    if not parser.parse_args().check:
        PAGE.write_text(text, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != text:
        sys.exit(f"{PAGE.relative_to(ROOT)} is stale: run scripts/command_page.py")


if __name__ == "__main__":
    main()
