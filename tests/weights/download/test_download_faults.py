"""Every way a download can go wrong, against a server on loopback: success, or one clear error and no partial file."""

import errno
import gzip
import io
import os

import pytest
from fetching import DATA, FAST, assert_whole, files_in, get, make_row, sha256, tensors, weight_file
from server import file, hang_up, redirect, stalling, status

from keras_coatnet.weights.cache import CacheError, cached_path
from keras_coatnet.weights.download import part_file
from keras_coatnet.weights.download.fetch import DownloadError
from keras_coatnet.weights.download.transport import Settings, SourceFailed, session

pytestmark = [pytest.mark.backend_free, pytest.mark.usefixtures("home")]


def failure(row, home, *, left=(), settings=FAST):
    """The message of a download that fails; it names every address and place, and leaves `left` alone."""
    with pytest.raises(DownloadError) as error:
        get(row, settings)
    message = str(error.value)
    for wanted in row.files:
        assert f"{wanted.url}: " in message
        assert f"as {cached_path(row, wanted)}" in message
    assert files_in(home) == sorted(left)
    return message


# Cut connections


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_cut_connection_is_gone_on_with_or_started_over(server, share, ranges):
    server.routes["/f"] = file(DATA, cuts=[share], ranges=ranges)
    assert_whole(get(make_row(weight_file(server.url("/f")))))
    again = server.requests[1]
    assert again.range_start == int(len(DATA) * share)
    assert again.headers["If-Range"] == '"v1"'
    assert len(server.requests) == 2


def test_without_an_etag_nothing_is_gone_on_with(server):
    server.routes["/f"] = file(DATA, cuts=[0.5], etag=None)
    assert_whole(get(make_row(weight_file(server.url("/f")))))
    assert [request.range_start for request in server.requests] == [None, None]


def test_tries_are_counted_anew_as_long_as_bytes_come(server):
    shares = [step / 10 for step in range(1, 10)]
    server.routes["/f"] = file(DATA, cuts=shares)
    assert_whole(get(make_row(weight_file(server.url("/f")))))
    assert len(server.requests) == len(shares) + 1 > FAST.retries + 1


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_is_always_cut_fails(server, home, ranges):
    server.routes["/f"] = file(DATA, cuts=[0.5] * 99, ranges=ranges)
    row = make_row(weight_file(server.url("/f")))
    message = failure(row, home, left=["weights.h5.part", "weights.h5.part.json"])
    assert f"cut after {len(DATA) // 2:,} of {len(DATA):,} bytes; tried {FAST.retries + 1} times in a row" in message


def test_a_part_that_cannot_be_gone_on_with_is_removed(server, home):
    server.routes["/f"] = file(DATA, cuts=[0.5] * 99, etag=None)
    failure(make_row(weight_file(server.url("/f"))), home)


def test_a_file_that_changed_meanwhile_is_started_over(server):
    new = DATA[::-1]
    old_file, new_file = file(DATA, cuts=[0.5], etag='"old"'), file(new, etag='"new"')
    server.routes["/f"] = lambda handler, request: (new_file if request.number else old_file)(handler, request)
    assert_whole(get(make_row(weight_file(server.url("/f"), new))), new)


@pytest.mark.parametrize("content_range", ["bytes 0-299999/300000", "bytes 150000-299999/4", "nonsense"])
def test_another_range_than_the_one_asked_for_is_refused(server, content_range):
    server.routes["/f"] = file(DATA, cuts=[0.5], content_range=content_range)
    assert_whole(get(make_row(weight_file(server.url("/f")))))
    assert [request.range_start for request in server.requests] == [None, 150_000, None]


@pytest.mark.parametrize("trouble", [status(503), status(200, headers={"Content-Type": "text/html"}), status(404)])
def test_a_server_in_trouble_costs_no_part(server, home, trouble):
    left = ["weights.h5.part", "weights.h5.part.json"]
    row = make_row(weight_file(server.url("/f")))
    server.routes["/f"] = file(DATA, cuts=[0.5] * 99)
    failure(row, home, left=left)
    server.routes["/f"] = trouble
    failure(row, home, left=left)
    server.routes["/f"] = file(DATA)
    assert_whole(get(row))
    assert server.requests[-1].range_start == len(DATA) // 2


def test_a_cut_compressed_answer_is_started_over(server):
    packed = gzip.compress(DATA)
    server.routes["/f"] = file(packed, cuts=[0.5], headers={"Content-Encoding": "gzip"})
    assert_whole(get(make_row(weight_file(server.url("/f")))))
    assert server.requests[1].range_start is None


def test_the_part_of_one_file_goes_when_another_has_come(server):
    server.routes |= {"/cut": file(DATA, cuts=[0.5] * 99), "/f": file(DATA)}
    row = make_row(weight_file(server.url("/cut"), name="first.h5"), weight_file(server.url("/f")))
    assert_whole(get(row))


def test_a_416_is_started_over(server):
    def answer(handler, request):
        (status(416) if request.range_start else file(DATA, cuts=[0.5]))(handler, request)

    def again(handler, request):
        (answer if request.number < 2 else file(DATA))(handler, request)

    server.routes["/f"] = again
    assert_whole(get(make_row(weight_file(server.url("/f")))))
    assert [request.range_start for request in server.requests] == [None, 150_000, None]


# Wrong content


@pytest.mark.parametrize(
    ("known", "complaint"),
    [
        ({"sha256": "0" * 64}, f"its sha256 is {sha256(DATA)}, not {'0' * 64}"),
        ({"sha256_prefix": "00000000"}, "and does not begin with 00000000"),
        ({"md5": "0" * 32}, f"not {'0' * 32}"),
        ({"size": 7}, "its file has 300,000 bytes, not 7"),
    ],
)
def test_a_file_with_a_wrong_hash_or_size_is_refused(server, home, known, complaint):
    server.routes["/f"] = file(DATA)
    assert complaint in failure(make_row(weight_file(server.url("/f"), **known)), home)


def test_after_a_wrong_hash_the_next_address_is_asked(server):
    server.routes |= {"/wrong": file(DATA[::-1]), "/right": file(DATA)}
    assert_whole(get(make_row(weight_file(server.url("/wrong")), weight_file(server.url("/right")))))


def test_a_truncated_file_is_refused_by_its_size_hash_or_own_statement(server, home):
    whole = tensors()
    for known in ({"size": len(whole)}, {"sha256": sha256(whole)}, {"format": "safetensors"}):
        server.routes["/f"] = file(whole[:-100])
        failure(make_row(weight_file(server.url("/f"), **known)), home)
    server.routes["/f"] = file(whole)
    assert_whole(get(make_row(weight_file(server.url("/f"), format="safetensors"))), whole)


@pytest.mark.parametrize("headers", [{"Content-Type": "text/html; charset=utf-8"}, {}])
def test_a_web_page_is_told(server, home, headers):
    page = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"
    server.routes["/f"] = status(200, body=page, headers=headers)
    assert "a web page" in failure(make_row(weight_file(server.url("/f"))), home)


def test_more_bytes_than_the_hub_stated_are_refused(server, home):
    server.routes["/f"] = file(DATA, headers={"X-Linked-Size": "1000"})
    assert "has 300,000 bytes, not 1,000" in failure(make_row(weight_file(server.url("/f"))), home)


# Statuses, silence, redirects


def test_after_a_404_the_next_address_is_asked(server):
    server.routes["/right"] = file(DATA)
    assert_whole(get(make_row(weight_file(server.url("/gone")), weight_file(server.url("/right")))))
    assert server.paths() == ["/gone", "/right"]


def test_every_address_that_failed_is_named_with_its_reason(server, home):
    server.routes["/page"] = status(200, headers={"Content-Type": "text/html"})
    row = make_row(weight_file(server.url("/gone")), weight_file(server.url("/page"), name="other.h5"))
    message = failure(row, home)
    assert f"{server.url('/gone')}: 404 Not Found.\n" in message
    assert f"{server.url('/page')}: it answered with a web page instead of the file.\n" in message


def test_three_times_503_is_waited_out(server):
    server.routes["/f"] = status(503, 3, file(DATA), headers={"Retry-After": "0"})
    assert_whole(get(make_row(weight_file(server.url("/f")))))
    assert len(server.requests) == 4


def test_a_server_that_stays_at_503_fails(server, home):
    server.routes["/f"] = status(503)
    assert "503 Service Unavailable" in failure(make_row(weight_file(server.url("/f"))), home)
    assert len(server.requests) == FAST.retries + 1


@pytest.mark.parametrize(("after", "complaint"), [(None, "no answer within 0.05 s"), (1000, "nothing came for 0.05 s")])
def test_a_silent_server_is_given_up(server, home, after, complaint):
    server.routes["/f"] = stalling(server, DATA, after)
    settings = Settings(read_timeout=0.05, retries=1, backoff=0)
    assert complaint in failure(make_row(weight_file(server.url("/f"))), home, settings=settings)


def test_a_trickle_is_given_up(server, home):
    server.routes["/f"] = stalling(server, DATA, after=1000)
    settings = Settings(read_timeout=30, stall_timeout=0, retries=1, backoff=0)
    assert "it stalled: 1,000 bytes in 0 s" in failure(make_row(weight_file(server.url("/f"))), home, settings=settings)


def test_a_redirect_loop_is_given_up(server, home):
    server.routes |= {"/f": redirect("/g"), "/g": redirect("/f")}
    assert f"redirects more than {FAST.redirects} times" in failure(make_row(weight_file(server.url("/f"))), home)
    assert len(server.requests) == FAST.redirects + 1


def test_a_redirect_from_https_to_http_is_not_followed(server):
    import requests

    class Secure(requests.adapters.BaseAdapter):
        def send(self, request, **_):
            response = requests.Response()
            response.status_code, response.url, response.request = 302, request.url, request
            response.headers["Location"] = server.url("/f")
            response.raw = io.BytesIO()
            return response

        def close(self):
            pass

    with session(FAST) as connection:
        connection.mount("https://", Secure())
        with pytest.raises(SourceFailed, match="redirects from https to http://127"):
            connection.get("https://weights.example/f")
    assert server.requests == []


def test_a_port_where_nobody_listens_is_told(server, home):
    url = server.url("/f")
    server.http.server_close()
    assert "Connection refused" in failure(make_row(weight_file(url)), home)


def test_a_connection_that_is_refused_halfway_is_told(server, home):
    server.routes["/f"] = lambda handler, request: hang_up(handler)
    assert "no connection: " in failure(make_row(weight_file(server.url("/f"))), home)


# The disk


class FullDisk:
    """An opened file that takes `room` bytes."""

    def __init__(self, opened, room):
        self.opened, self.room, self.close = opened, room, opened.close

    def write(self, data):
        if self.room < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(data)
        return self.opened.write(data)


def test_a_full_disk_is_one_error_and_leaves_nothing(server, home, monkeypatch):
    server.routes |= {"/f": file(DATA), "/mirror": file(DATA)}

    def open_on_full_disk(path, mode="r", **options):
        opened = open(path, mode, **options)  # noqa: SIM115 - closed by whoever asked for it
        return FullDisk(opened, 1000) if mode == "ab" else opened

    monkeypatch.setattr(part_file, "open", open_on_full_disk, raising=False)
    with pytest.raises(CacheError, match=r"weights\.h5\.part cannot be written: No space left.*KERAS_COATNET_HOME"):
        get(make_row(weight_file(server.url("/f")), weight_file(server.url("/mirror"))))
    assert files_in(home) == []
    assert server.paths() == ["/f"]  # another address would not make room


def test_a_file_larger_than_the_disk_is_told_before_it_comes(server, home):
    server.routes["/f"] = file(DATA, stated=10**18)
    with pytest.raises(CacheError, match="needs 1,000,000,000,000,000,000 bytes"):
        get(make_row(weight_file(server.url("/f"))))
    assert files_in(home) == []


def test_a_read_only_cache_is_one_error_that_names_it(server, home, monkeypatch):
    def refuse(path, *_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    monkeypatch.setattr(os, "makedirs", refuse)
    with pytest.raises(CacheError, match=r"home.* cannot be written: Read-only file system"):
        get(make_row(weight_file(server.url("/f"))))
    assert server.requests == []


def test_a_cache_home_that_is_a_file_is_one_error(server, home):
    home.write_text("no folder")
    with pytest.raises(CacheError, match=r"home.*: Not a directory"):
        get(make_row(weight_file(server.url("/f"))))
