"""keras-coatnet download and keras-coatnet cache, against a server on loopback."""

import dataclasses
import json
from pathlib import Path

import pytest
from fetching import DATA, FAST, change, get, make_row, sha256, weight_file
from server import file, status

from keras_coatnet.cli.main import main
from keras_coatnet.weights.cache import cached_path, locked
from keras_coatnet.weights.converted import store_converted
from keras_coatnet.weights.download.fetch import fetch
from keras_coatnet.weights.download.progress import Progress

pytestmark = [pytest.mark.backend_free, pytest.mark.usefixtures("home")]


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def rows(server, tmp_path, monkeypatch):
    """Two rows of coatnet_0 and one of coatnet_5, in a manifest of their own."""
    first = make_row(weight_file(server.url("/f")), tag="imagenet")
    made = [
        first,
        dataclasses.replace(first, input_size=160),
        dataclasses.replace(first, variant="coatnet_5", tag="mine", default=True),
        dataclasses.replace(first, variant="coatnet_5", tag="other"),
    ]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([dataclasses.asdict(row) for row in made]))
    monkeypatch.setenv("KERAS_COATNET_MANIFEST", str(path))
    return made


def run(capsys, *arguments):
    """(exit code, standard output, standard error) of a command."""
    code = main(list(arguments))
    return code, *capsys.readouterr()


def failure(capsys, *arguments):
    """The one line that a command with wrong arguments gives."""
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    return err


def path_of(row):
    return cached_path(row, row.files[0])


# download


def test_download_fetches_every_size_of_a_variants_weights(rows, server, capsys):
    code, out, err = run(capsys, "download", "coatnet_0")
    assert code == 0
    assert out.splitlines() == [f"coatnet_0.imagenet at {row.input_size}: {path_of(row)}" for row in rows[:2]]
    assert "downloading coatnet_0.imagenet at 224 (0.3 MB)" in err
    assert all(Path(path_of(row)).read_bytes() == DATA for row in rows[:2])


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["coatnet_5"], [2]),
        (["coatnet_5.other"], [3]),
        (["coatnet_5.*"], [2, 3]),
        (["coatnet_0.imagenet", "coatnet_0"], [0, 1]),
    ],
)
def test_names_mean_defaults_tags_or_patterns(rows, names, numbers, capsys):
    code, out, _ = run(capsys, "download", *names)
    assert code == 0
    assert [line.split(": ")[1] for line in out.splitlines()] == [path_of(rows[number]) for number in numbers]


def test_download_hashes_what_is_there(rows, server, capsys):
    run(capsys, "download", "coatnet_5")
    change(path_of(rows[2]), DATA[::-1], keep_time=True)
    assert run(capsys, "download", "coatnet_5")[0] == 0
    assert Path(path_of(rows[2])).read_bytes() == DATA


def test_a_download_that_fails_is_told_and_the_others_go_on(rows, server, capsys):
    server.routes["/f"] = status(404, 1, file(DATA))
    code, out, err = run(capsys, "download", "coatnet_0", "coatnet_5")
    assert code == 1
    assert [line.split(" ")[0] for line in out.splitlines()] == ["coatnet_0.imagenet", "coatnet_5.mine"]
    assert "/f: 404 Not Found" in err


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("coatnet_0_rv", "Unknown variant 'coatnet_0_rv'. Nearest: coatnet_0_rw"),
        ("coatnet_0_paper", "There are no trained weights for coatnet_0_paper"),
        ("coatnet_2_rw.sw_in12", "no weights with the tag 'sw_in12'; known: sw_in12k, sw_in12k_ft_in1k, imagenet"),
        ("vgg*", "no trained weights match 'vgg*'"),
    ],
)
def test_download_refuses_what_there_is_not(server, name, complaint, capsys):
    assert complaint in failure(capsys, "download", name)
    assert server.requests == []


# cache


@pytest.fixture
def filled(rows, server, home):
    """The rows, the first two in the cache, the second one converted; a part of the third; a stranger's file."""
    for row in rows[:2]:
        get(row)
    store_converted(rows[1], lambda path: Path(path).write_bytes(b"converted"))
    server.routes["/f"] = file(DATA, cuts=[0.5] * 99)
    with pytest.raises(OSError, match="cut after"):
        get(rows[2])
    stranger = home / "notes.2026" / "11"
    stranger.mkdir(parents=True)
    (stranger / "notes.txt").write_text("mine")
    return rows


def table_rows(out):
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]


def test_list_shows_files_and_their_sizes(filled, home, capsys):
    code, out, _ = run(capsys, "cache", "list")
    assert code == 0
    converted = f"converted/{sha256(DATA)[:16]}-v1.weights.h5"
    assert table_rows(out) == [
        ["coatnet_0.imagenet", "160", "weights.h5", "0.3", "downloaded"],
        ["coatnet_0.imagenet", "160", converted, "0.0", "converted"],
        ["coatnet_0.imagenet", "224", "weights.h5", "0.3", "downloaded"],
        ["coatnet_5.mine", "224", "weights.h5.part", "0.1", "part of a download"],
    ]
    assert f"0.8 MB in {home}" in out


def test_list_takes_names(filled, capsys):
    assert len(table_rows(run(capsys, "cache", "list", "coatnet_5")[1])) == 1
    assert len(table_rows(run(capsys, "cache", "list", "coatnet_0", "coatnet_0.im*")[1])) == 3
    assert "matches 'coatnet_1'" in failure(capsys, "cache", "list", "coatnet_1")


def test_an_empty_cache_is_said(home, capsys):
    assert run(capsys, "cache", "list") == (0, f"{home} is empty\n", "")
    assert run(capsys, "cache", "clear", "--yes") == (0, "nothing to clear\n", "")
    assert not home.exists()


def test_verify_hashes_every_file(filled, capsys, monkeypatch):
    code, out, _ = run(capsys, "cache", "verify")
    assert code == 0
    assert [row[-1] for row in table_rows(out)] == ["sound", "sound", "sound", "part of a download"]
    change(path_of(filled[0]), DATA[::-1], keep_time=True)
    code, out, _ = run(capsys, "cache", "verify")
    assert code == 1
    assert "damaged: 1" in out
    states = [row[-1] for row in table_rows(out) if row[1] == "224"]
    assert states[0].startswith("its sha256 is")
    monkeypatch.delenv("KERAS_COATNET_MANIFEST")  # without its manifest a file still has its record
    assert run(capsys, "cache", "verify", "coatnet_0")[0] == 1
    change(path_of(filled[0]), DATA)
    assert run(capsys, "cache", "verify", "coatnet_0")[0] == 0


def test_what_verify_found_damaged_is_fetched_anew(filled, server, capsys):
    server.routes["/f"] = file(DATA)
    change(path_of(filled[0]), DATA[::-1], keep_time=True)
    assert run(capsys, "cache", "verify")[0] == 1
    assert Path(get(filled[0])).read_bytes() == DATA


def test_clear_removes_what_is_ours_and_nothing_else(filled, home, capsys):
    code, out, _ = run(capsys, "cache", "clear", "--yes")
    assert code == 0
    assert out.startswith("removed 4 files of 3 checkpoints, 0.8 MB")
    left = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.parent.name != "locks"}
    assert left == {"locks", "notes.2026", "notes.2026/11", "notes.2026/11/notes.txt"}


def test_clear_takes_names(filled, capsys):
    assert run(capsys, "cache", "clear", "coatnet_5", "--yes")[0] == 0
    assert len(table_rows(run(capsys, "cache", "list")[1])) == 3


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("no", 4), ("", 4)])
def test_clear_asks_first(filled, answer, left, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert run(capsys, "cache", "clear")[0] == 0
    assert len(table_rows(run(capsys, "cache", "list")[1])) == left


def test_clear_removes_nothing_where_nobody_can_be_asked(filled, capsys):
    assert "--yes" in failure(capsys, "cache", "clear")
    assert len(table_rows(run(capsys, "cache", "list")[1])) == 4


def test_clear_leaves_a_row_that_another_process_works_on(filled, capsys):
    with locked(filled[0], "download"):
        assert "is in use by another process" in failure(capsys, "cache", "clear", "coatnet_0", "--yes")
    assert Path(path_of(filled[0])).is_file()


def test_after_clear_a_replaced_file_is_taken(server, rows, capsys):
    get(rows[0])
    run(capsys, "cache", "clear", "--yes")
    server.routes["/f"] = file(DATA)
    fetch(rows[0], Progress(), settings=FAST)
    assert len(table_rows(run(capsys, "cache", "list")[1])) == 1


@pytest.mark.parametrize("arguments", [["cache"], ["cache", "burn"], ["download"]])
def test_what_to_do_has_to_be_said(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
