"""examples/: every notebook shows what its code gave, and still runs."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from running import BACKEND

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "execute_notebooks.py"
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
LARGEST = 500_000
SMALL = ("--set", "EPOCHS=2", "--set", "IMAGE_SIZE=32")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("execute_notebooks", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.backend_free
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_shows_what_its_code_gave(script, path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert list(script.problems_of(notebook)) == []
    assert path.stat().st_size < LARGEST
    assert any(
        "image/jpeg" in output.get("data", {}) for cell in script.code_cells(notebook) for output in cell.outputs
    )


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="once is enough; LiteRT files are TensorFlow's")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, tmp_path):
    command = [sys.executable, SCRIPT, path, *SMALL, "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(path.name)


@pytest.mark.backend_free
def test_pictures_of_the_examples_are_twenty_a_class_and_small():
    files = list((ROOT / "examples" / "clothing").rglob("*.jpg"))
    counts = {(part, name): 0 for part in ("train", "val") for name in {file.parent.name for file in files}}
    for file in files:
        counts[file.parent.parent.name, file.parent.name] += 1
    assert {part: {count for (of, _), count in counts.items() if of == part} for part in ("train", "val")} == {
        "train": {14},
        "val": {6},
    }
    assert len(counts) == 20
    assert sum(file.stat().st_size for file in files) < 2_000_000


@pytest.mark.backend_free
def test_what_differs_from_run_to_run_is_left_out(script):
    printed = f"INFO:tensorflow:Assets written\nexamples at {ROOT / 'examples' / 'out' / 'a.tflite'} and {ROOT}/docs\n"
    outputs = [
        new_output("stream", text=printed),
        new_output("stream", name="stderr", text="I0000 00:00:17.26 20475 port.cc:153] oneDNN is on\n"),
        new_output("execute_result", data={"text/plain": "3", "image/png": "a/tmp/b"}, execution_count=7),
    ]
    cell = new_code_cell("run()", outputs=outputs, execution_count=7, metadata={"tags": ["x"], "execution": {"a": "b"}})
    notebook = new_notebook(cells=[cell], metadata={"language_info": {"name": "python", "version": "3.11.9"}})
    script.tidy(notebook, ROOT / "examples")
    stream, result = cell.outputs
    assert stream.text == "examples at out/a.tflite and docs\n"
    assert result.data == {"text/plain": "3", "image/png": "a/tmp/b"}
    assert (cell.execution_count, result.execution_count) == (None, None)
    assert cell.metadata == {"tags": ["x"]}
    assert notebook.metadata.language_info == {"name": "python"}
    assert list(script.problems_of(notebook)) == []


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("output", "problem"),
    [
        (new_output("error", ename="E", evalue="", traceback=[]), "run(): an error or a warning was printed"),
        (new_output("stream", name="stderr", text="UserWarning: beware"), "run(): an error or a warning was printed"),
        (new_output("stream", text="see /home/me/file"), "run(): a place on somebody's machine was printed"),
        (new_output("stream", text=r"see C:\Users\me"), "run(): a place on somebody's machine was printed"),
        (new_output("stream", name="stderr", text="tiny.weights.h5: tables resized from 4x4 to 8x8"), None),
        (new_output("stream", text="see https://a.org/home/me, 1/tmp/2 and out/usr/x"), None),
    ],
)
def test_outputs_that_must_not_be_shown_are_named(script, output, problem):
    notebook = new_notebook(cells=[new_code_cell("run()\nmore()", outputs=[])])
    script.tidy(notebook, ROOT)
    notebook.cells[0].outputs = [output]
    assert list(script.problems_of(notebook)) == ([problem] if problem else [])


@pytest.mark.backend_free
def test_code_that_was_changed_and_not_run_is_named(script):
    notebook = new_notebook(cells=[new_code_cell("run()")])
    script.tidy(notebook, ROOT)
    notebook.cells[0].source = "walk()"
    assert [problem.split(":")[0] for problem in script.problems_of(notebook)] == [
        "its code has changed since it was run"
    ]


@pytest.mark.backend_free
def test_parameters_change_in_their_cell_alone(script):
    source = 'EPOCHS = 40  # of training\nMY_EPOCHS = 3\nNAME = "x"'
    cells = [new_code_cell(source, metadata={"tags": ["parameters"]}), new_code_cell("EPOCHS = 40")]
    notebook = new_notebook(cells=cells)
    script.change_parameters(notebook, ["EPOCHS=2", 'NAME="y"', "OTHER=1"])
    assert cells[0].source == 'EPOCHS = 2  # of training\nMY_EPOCHS = 3\nNAME = "y"'
    assert cells[1].source == "EPOCHS = 40"


@pytest.mark.backend_free
def test_short_runs_are_not_kept_in_place(script, capsys):
    with pytest.raises(SystemExit):
        script.parse(["--set", "EPOCHS=1"])
    assert "--set needs --out" in capsys.readouterr().err
