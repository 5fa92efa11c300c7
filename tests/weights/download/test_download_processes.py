"""Downloads by many processes at once, and by processes that die."""

import contextlib
import os
import signal
from pathlib import Path

import pytest
from fetching import (
    DATA,
    FAST,
    assert_whole,
    child,
    files_in,
    get,
    make_row,
    run_child,
    weight_file,
)
from server import file, held

from keras_coatnet.weights.cache import cached_path
from keras_coatnet.weights.converted import load_converted, store_converted
from keras_coatnet.weights.download.fetch import fetch
from keras_coatnet.weights.download.progress import Progress

pytestmark = [pytest.mark.backend_free, pytest.mark.usefixtures("home")]


@pytest.mark.parametrize("count", [2, 8])
def test_many_processes_at_once_download_once(server, tmp_path, count):
    server.routes["/f"] = held(server, file(DATA))
    row = make_row(weight_file(server.url("/f")))
    with contextlib.ExitStack() as stack:
        children = [
            stack.enter_context(child(row, "fetch", manifest=tmp_path / f"{number}.json")) for number in range(count)
        ]
        assert [process.stdout.readline() for process in children] == ["ready\n"] * count
        server.released.set()
        paths = [process.communicate(timeout=60)[0].strip() for process in children]
        assert [process.returncode for process in children] == [0] * count
    assert paths == [cached_path(row, row.files[0])] * count
    assert_whole(paths[0])
    assert len(server.requests) == 1


def test_a_killed_download_is_gone_on_with(server, home, tmp_path):
    server.routes["/f"] = file(DATA)
    row = make_row(weight_file(server.url("/f")))
    code, _ = run_child(row, "fetch", "1000", manifest=tmp_path / "rows.json")
    assert code == -signal.SIGKILL
    assert files_in(home) == ["weights.h5.part", "weights.h5.part.json"]
    arrived = os.path.getsize(cached_path(row, row.files[0]) + ".part")
    assert_whole(get(row))
    assert server.requests[1].range_start == arrived


def test_a_download_killed_at_its_last_byte_asks_for_nothing_more(server, home, tmp_path):
    row = make_row(weight_file(server.url("/f")))
    run_child(row, "fetch", str(len(DATA)), manifest=tmp_path / "rows.json")
    assert files_in(home) == ["weights.h5.part", "weights.h5.part.json"]
    assert_whole(get(row))
    assert len(server.requests) == 1


def test_a_killed_download_whose_part_was_damaged_starts_over(server, tmp_path):
    server.routes["/f"] = file(DATA)
    row = make_row(weight_file(server.url("/f")))
    run_child(row, "fetch", "1000", manifest=tmp_path / "rows.json")
    with open(cached_path(row, row.files[0]) + ".part", "rb+") as part:
        part.write(b"\0" * 500)
    assert_whole(get(row))
    assert server.requests[-1].range_start is None


def test_a_conversion_killed_before_it_was_recorded_is_made_anew(server):
    row = make_row(weight_file(server.url("/f")))
    get(row)
    path = store_converted(row, lambda path: Path(path).write_bytes(b"whole"))
    os.remove(path + ".json")
    assert load_converted(row) is None
    assert store_converted(row, lambda path: Path(path).write_bytes(b"again")) == load_converted(row) == path


def test_an_interrupted_download_lets_go_of_its_lock(server):
    class Interrupting(Progress):
        def advance(self, count):
            raise KeyboardInterrupt

    server.routes["/f"] = file(DATA)
    row = make_row(weight_file(server.url("/f")))
    with pytest.raises(KeyboardInterrupt):
        fetch(row, Interrupting(), settings=FAST)
    assert_whole(get(row))


def test_a_killed_conversion_leaves_nothing_that_is_taken_for_whole(server, tmp_path):
    server.routes["/f"] = file(DATA)
    row = make_row(weight_file(server.url("/f")))
    get(row)
    code, _ = run_child(row, "convert", "die", manifest=tmp_path / "rows.json")
    assert code == -signal.SIGKILL
    assert load_converted(row) is None
    code, path = run_child(row, "convert", manifest=tmp_path / "rows.json")
    assert (code, load_converted(row)) == (0, path)
    with open(path, "rb") as opened:
        assert opened.read() == b"whole"
    assert files_in(os.path.dirname(path)) == sorted([os.path.basename(path), os.path.basename(path) + ".json"])
