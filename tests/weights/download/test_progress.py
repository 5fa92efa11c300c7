"""What a download shows, and to whom."""

import io

import pytest
import urllib3
from fetching import DATA, FAST, make_row, weight_file
from rich.console import Console
from server import file, hang_up, status

from keras_coatnet.weights.download.fetch import DownloadError, fetch
from keras_coatnet.weights.download.progress import BarProgress, LineProgress, Progress, visible_progress
from keras_coatnet.weights.download.transport import session

pytestmark = [pytest.mark.backend_free, pytest.mark.usefixtures("home")]


CUT = "the connection was cut after 150,000 of 300,000 bytes; try 2 of 4"


class Counting(Progress):
    def __init__(self):
        self.calls, self.bytes = [], 0

    def open(self, name):
        self.calls.append(name)

    def start(self, done, total):
        self.calls.append((done, total))

    def advance(self, count):
        self.bytes += count

    def retry(self, reason):
        self.calls.append(reason)

    def close(self):
        self.calls.append("closed")


def test_progress_is_told_of_every_byte(server):
    server.routes["/f"] = file(DATA, cuts=[0.5])
    progress = Counting()
    fetch(make_row(weight_file(server.url("/f"))), progress, settings=FAST)
    assert progress.calls == ["coatnet_0.made at 224", (0, 300_000), CUT, (150_000, 300_000), "closed"]
    assert progress.bytes == 300_000


def test_progress_is_closed_after_a_failure(server):
    progress = Counting()
    server.routes["/f"] = status(404)
    with pytest.raises(DownloadError):
        fetch(make_row(weight_file(server.url("/f"))), progress, settings=FAST)
    assert progress.calls == ["coatnet_0.made at 224", "closed"]


def test_one_line_is_written_where_nobody_looks(server, capfd):
    fetch(make_row(weight_file(server.url("/f"))), settings=FAST)
    assert capfd.readouterr() == ("", "downloading coatnet_0.made at 224 (0.3 MB)\n")
    assert isinstance(visible_progress(), LineProgress)


def hang_up_once(handler, request):
    (file(DATA) if request.number else lambda handler, _: hang_up(handler))(handler, request)


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        (file(DATA, cuts=[0.5]), CUT),
        (status(503, 1, file(DATA)), "503 Service Unavailable; try 2 of 4"),
        (hang_up_once, "Remote end closed connection without response; try 2 of 4"),
    ],
    ids=["cut", "busy", "hung up"],
)
def test_a_further_try_is_one_line_of_ours_and_none_of_a_library(server, capfd, caplog, route, reason):
    server.routes["/f"] = route
    fetch(make_row(weight_file(server.url("/f"))), settings=FAST)
    said = [line for line in capfd.readouterr().err.splitlines() if "downloading" not in line]
    assert said == [f"coatnet_0.made at 224: {reason}"]
    assert caplog.records == []


def test_the_last_try_is_told_by_the_error_alone(server, capfd):
    server.routes["/f"] = status(503)
    with pytest.raises(DownloadError, match="503 Service Unavailable"):
        fetch(make_row(weight_file(server.url("/f"))), settings=FAST)
    tries = [f"coatnet_0.made at 224: 503 Service Unavailable; try {number} of 4" for number in (2, 3, 4)]
    assert capfd.readouterr().err.splitlines() == tries


def test_what_urllib3_logs_for_others_is_left_alone(server, caplog):
    server.routes["/f"] = hang_up_once
    with session(FAST), urllib3.PoolManager(retries=1) as others:
        assert others.request("GET", server.url("/f")).status == 200
    assert [record.name for record in caplog.records] == ["urllib3.connectionpool"]


def test_a_bar_is_drawn_on_a_terminal_with_further_tries_above_it(server):
    server.routes["/f"] = file(DATA, cuts=[0.5])
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    fetch(make_row(weight_file(server.url("/f"))), BarProgress(console), settings=FAST)
    assert "coatnet_0.made at 224" in screen.getvalue()
    assert f"coatnet_0.made at 224: {CUT}" in screen.getvalue()
    assert "300.0/300.0 kB" in screen.getvalue()
