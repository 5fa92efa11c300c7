"""Runs notebooks and keeps what they print and draw.

    python scripts/execute_notebooks.py [NOTEBOOK...] [--set NAME=VALUE] [--out FOLDER]

Without names it runs all of examples/, in place. `--set` changes a variable of the cell tagged "parameters", for a
short run; such a run is not for keeping, so it needs `--out`. What differs from run to run without a reason (counters
of executions, the versions of the kernel, places on this machine) is left out, so that a diff shows what has changed.
"""

import argparse
import ast
import hashlib
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
PARAMETERS = "parameters"
SECONDS_A_CELL = 1800
# Which code was run, kept in the notebook: `problems_of` compares it.
NOTE, DIGEST = "keras_coatnet", "code_sha256"
# The package's own log tells of more than trouble: of tables that were resized, of what a file does not fill.
TROUBLE = re.compile(r"error|warn|traceback|deprecat", re.IGNORECASE)
MACHINE_FOLDERS = "home|root|tmp|usr|opt|var|work|mnt|private|Users"
# What TensorFlow and its converter say to themselves on starting.
CHATTER = re.compile(
    r"^(WARNING: All log messages before absl|[IW]\d{4} |(INFO|WARNING):tensorflow:|INFO: Created TensorFlow Lite|"
    r"fully_quantize: ).*\n?",
    re.MULTILINE,
)
PLACE_ON_A_MACHINE = re.compile(rf"(?<![\w.:/])/(?:{MACHINE_FOLDERS})/[\w.]|\b[A-Z]:\\")


def main(arguments=None):
    options = parse(arguments)
    # Messages of TensorFlow's start are none of the notebooks' business.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for path in options.notebooks or sorted(EXAMPLES.glob("*.ipynb")):
        target = path if options.out is None else options.out / path.name
        start = time.perf_counter()
        notebook = nbformat.read(path, as_version=4)
        change_parameters(notebook, options.set)
        folder = path.resolve().parent
        try:
            execute(notebook, folder)
        except CellExecutionError as error:
            sys.exit(f"{path.name}: {error}")
        tidy(notebook, folder)
        nbformat.write(notebook, target)
        size = target.stat().st_size / 1024
        print(f"{target.name}: {time.perf_counter() - start:.0f} s, {size:.0f} KB", flush=True)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK", help="(default: all of examples/)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="another parameter")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for the executed copies (default: in place)")
    options = parser.parse_args(arguments)
    if options.set and options.out is None:
        parser.error("--set needs --out: the notebooks themselves keep their parameters")
    return options


def change_parameters(notebook, assignments):
    """Puts other values into the lines `NAME = VALUE` of the cells tagged "parameters" that have such a name.

    Args:
        notebook: changed in place.
        assignments: such as "EPOCHS=1". Notebooks without a parameter of that name keep theirs.
    """
    for cell in notebook.cells:
        if PARAMETERS not in cell.metadata.get("tags", ()):
            continue
        for text in assignments:
            name, _, value = text.partition("=")
            ast.literal_eval(value)
            line = rf"^{re.escape(name)} = [^#\n]*?(?=  #|$)"
            cell.source = re.sub(line, lambda _, new=f"{name} = {value}": new, cell.source, flags=re.MULTILINE)


def execute(notebook, folder):
    """Runs all cells in a kernel of this Python, in a folder.

    Raises: CellExecutionError at the first cell that fails.
    """
    options = {"timeout": SECONDS_A_CELL, "kernel_name": "python3", "record_timing": False, "coalesce_streams": True}
    NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}, **options).execute()


def tidy(notebook, folder):
    """Leaves out what differs from run to run without a reason, and notes which code was run.

    Args:
        notebook: changed in place.
        folder: that it ran in; places in it are named from there.
    """
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        NOTE: {DIGEST: digest_of(notebook)},
    }
    for cell in code_cells(notebook):
        cell.execution_count = None
        cell.metadata = {name: value for name, value in cell.metadata.items() if name == "tags"}
        cell.outputs = [output for output in cell.outputs if not is_chatter(output)]
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = None
            if output.output_type == "stream":
                output.text = without_places(CHATTER.sub("", output.text), folder)
            for kind, content in output.get("data", {}).items():
                if kind.startswith("text/"):
                    output.data[kind] = without_places(content, folder)


def is_chatter(output):
    return output.output_type == "stream" and not CHATTER.sub("", output.text)


def without_places(text, folder):
    """A text with names of files as they are from a folder, from the top of the repository or from home."""
    for place, name in ((folder, ""), (ROOT, ""), (Path.home(), "~/")):
        text = text.replace(f"{place}{os.sep}", name)
    return text


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def digest_of(notebook):
    """Of all code in a notebook, in order."""
    return hashlib.sha256("\0".join(cell.source for cell in code_cells(notebook)).encode()).hexdigest()


def problems_of(notebook):
    """Lines that say why a notebook must not be shown as it is; none for one that was run as it stands."""
    note = notebook.metadata.get(NOTE, {})
    if note.get(DIGEST) != digest_of(notebook):
        yield "its code has changed since it was run: scripts/execute_notebooks.py runs it"
    for cell in code_cells(notebook):
        first = cell.source.partition("\n")[0]
        for output in cell.outputs:
            text = repr(output.get("text", "")) + repr({k: v for k, v in output.get("data", {}).items() if "text" in k})
            if output.output_type == "error" or (output.get("name") == "stderr" and TROUBLE.search(text)):
                yield f"{first}: an error or a warning was printed"
            if PLACE_ON_A_MACHINE.search(text):
                yield f"{first}: a place on somebody's machine was printed"


if __name__ == "__main__":
    main()
