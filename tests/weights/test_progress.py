"""What a download shows, and to whom."""

import io

import pytest
from fetching import DATA, FAST, make_row, weight_file
from server import file, status

from keras_coatnet.weights.download import DownloadError, fetch
from keras_coatnet.weights.progress import LineProgress, Progress, visible_progress

pytestmark = [pytest.mark.backend_free, pytest.mark.usefixtures("home")]


class Counting(Progress):
    def __init__(self):
        self.calls, self.bytes = [], 0

    def open(self, name):
        self.calls.append(name)

    def start(self, done, total):
        self.calls.append((done, total))

    def advance(self, count):
        self.bytes += count

    def close(self):
        self.calls.append("closed")


def test_progress_is_told_of_every_byte(server):
    server.routes["/f"] = file(DATA, cuts=[0.5])
    progress = Counting()
    fetch(make_row(weight_file(server.url("/f"))), progress, settings=FAST)
    assert progress.calls == ["coatnet_0.made at 224", (0, 300_000), (150_000, 300_000), "closed"]
    assert progress.bytes == 300_000


def test_progress_is_closed_after_a_failure(server):
    progress = Counting()
    server.routes["/f"] = status(404)
    with pytest.raises(DownloadError):
        fetch(make_row(weight_file(server.url("/f"))), progress, settings=FAST)
    assert progress.calls == ["coatnet_0.made at 224", "closed"]


def test_nothing_but_one_line_is_written_where_nobody_looks(server, capfd):
    server.routes["/f"] = file(DATA, cuts=[0.5])
    fetch(make_row(weight_file(server.url("/f"))), settings=FAST)
    out, err = capfd.readouterr()
    assert out == ""
    assert [line for line in err.splitlines() if "downloading" in line] == [
        "downloading coatnet_0.made at 224 (0.3 MB)"
    ]
    assert isinstance(visible_progress(), LineProgress)


def test_a_bar_is_drawn_on_a_terminal(server):
    from rich.console import Console

    from keras_coatnet.weights.progress import BarProgress

    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    fetch(make_row(weight_file(server.url("/f"))), BarProgress(console), settings=FAST)
    assert "coatnet_0.made at 224" in screen.getvalue()
    assert "300.0/300.0 kB" in screen.getvalue()
