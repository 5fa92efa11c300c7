"""The command line: tables, help, and one line with code 2 for wrong arguments."""

import subprocess
import sys

import pytest

import keras_coatnet as kc
from keras_coatnet.cli.main import main

pytestmark = pytest.mark.backend_free


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def failure(arguments, capsys):
    """(exit code, what is on stderr) of a command that refuses its arguments; argparse raises, our commands return."""
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    assert out == ""
    return code, err


def test_models_lists_every_variant_with_its_counts(capsys):
    assert main(["models"]) == 0
    rows = {line.split("│")[1].strip(): line for line in capsys.readouterr().out.splitlines() if "│" in line}
    assert set(rows) == set(kc.list_variants())
    assert "25.04 M" in rows["coatnet_0_paper"]
    assert "224" in rows["coatnet_0_paper"]


def test_models_takes_a_pattern(capsys):
    assert main(["models", "coatnet_tiny200_*"]) == 0
    out = capsys.readouterr().out
    assert "coatnet_tiny200_ccct_1131" in out
    assert "coatnet_0" not in out


def test_info_shows_exact_counts_stages_and_fields(capsys):
    assert main(["info", "coatnet_0_paper"]) == 0
    out = capsys.readouterr().out
    assert "25,036,820" in out
    assert "5 transformer" in out
    assert "(96, 192, 384, 768)" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["models", "vgg*"], "no variant matches 'vgg*'"),
        (["info", "coatnet_0_papr"], "coatnet_0_paper"),
        (["predict", "a.png", "--model", "coatnet_zero"], "Unknown variant 'coatnet_zero'"),
        (["predict"], "PATH"),
        (["predict", "a.png", "--json", "--csv"], "--csv: not allowed with argument --json"),
        (["predict", "a.png", "--model", "nowhere.keras"], "nowhere.keras: no such file"),
        (["predict", "a.png", "--model", "a.keras", "--weights", "b.h5"], "a.keras holds its own"),
        (["predict", "a.png", "--model", "coatnet_0", "--top", "0"], "from 1 up; got '0'"),
        (["train", "--data", "d", "--model", "coatnet_t"], "--out"),
        (["train", "--data", "nowhere", "--model", "coatnet_t", "--out", "o"], "nowhere: no such folder"),
        (["train", "--data", "d", "--model", "coatnet_t", "--out", "o", "--epochs", "two"], "got 'two'"),
        (["train", "--data", "d", "--model", "coatnet_t", "--out", "o", "--learning-rate", "nan"], "got 'nan'"),
        (["train", "--data", "d", "--model", "coatnet_t", "--out", "o", "--seed", "-1"], "got '-1'"),
    ],
)
def test_wrong_argument_is_one_line_and_code_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, err = failure(arguments, capsys)
    assert code == 2
    assert message in err
    assert err.startswith("keras-coatnet")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_version_is_printed(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert kc.__version__ in capsys.readouterr().out


@pytest.mark.parametrize("lines", [1, 100_000])
def test_reader_that_leaves_early_causes_no_traceback(lines):
    code = (
        "import sys; from keras_coatnet.cli import main, models;"
        f"models.run = lambda options: print('\\n' * {lines});"
        "sys.stdin.read(); sys.exit(main.main(['models']))"
    )
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen([sys.executable, "-c", code], text=True, **pipes)
    process.stdout.close()
    process.stdin.close()
    with process.stderr:
        errors = process.stderr.read()
    assert process.wait() == 1
    assert "Error" not in errors
