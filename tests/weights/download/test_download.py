"""What fetch does when all is well: the cache, and hashes of every kind."""

import errno
import gzip
import os
import shutil
import sys

import pytest
from fetching import DATA, change, content, get, make_row, run_child, sha256, tensors, weight_file
from server import file, redirect, without_length

from keras_coatnet.weights import cache
from keras_coatnet.weights.cache import cached_path
from keras_coatnet.weights.download.fetch import DownloadError

pytestmark = [pytest.mark.backend_free, pytest.mark.usefixtures("home")]

OTHER = DATA[::-1]


# The cache


def test_a_second_call_asks_nobody_and_hashes_nothing(server, monkeypatch):
    row = make_row(weight_file(server.url("/f")))
    path = get(row)
    monkeypatch.setattr(cache, "measure", lambda *_: pytest.fail("hashed again"))
    assert get(row) == path == cached_path(row, row.files[0])
    assert content(path) == DATA
    assert len(server.requests) == 1


@pytest.mark.parametrize("damaged", [OTHER, DATA[:-1], b""])
def test_a_file_that_changed_in_the_cache_is_fetched_anew(server, damaged):
    row = make_row(weight_file(server.url("/f")))
    change(get(row), damaged)
    assert content(get(row)) == DATA
    assert len(server.requests) == 2


def test_damage_that_only_a_read_can_show_is_found_on_demand(server):
    row = make_row(weight_file(server.url("/f")))
    change(get(row), OTHER, keep_time=True)
    assert content(get(row)) == OTHER  # one stat says nothing else
    assert content(get(row, verify=True)) == DATA


def test_damage_that_was_once_found_is_not_forgotten(server, monkeypatch):
    row = make_row(weight_file(server.url("/f")))
    change(get(row), OTHER, keep_time=True)
    monkeypatch.setenv("KERAS_COATNET_OFFLINE", "1")
    for verify in (True, False):
        with pytest.raises(DownloadError, match=r"weights\.h5 is in the cache and damaged: its sha256 is"):
            get(row, verify=verify)


def test_a_touched_file_is_hashed_once_and_kept(server, monkeypatch):
    row = make_row(weight_file(server.url("/f")))
    path = get(row)
    change(path, DATA)
    get(row)
    monkeypatch.setattr(cache, "measure", lambda *_: pytest.fail("hashed again"))
    get(row)
    assert len(server.requests) == 1


def test_a_file_put_there_by_hand_is_checked_and_taken(server, home):
    row = make_row(weight_file(server.url("/f")))
    path = cached_path(row, row.files[0])
    os.makedirs(os.path.dirname(path))
    with open(path, "wb") as opened:
        opened.write(DATA)
    assert get(row) == path
    assert server.requests == []


def test_a_file_of_another_manifest_is_not_taken(server):
    get(make_row(weight_file(server.url("/f"))))
    server.routes["/new"] = file(OTHER)
    assert content(get(make_row(weight_file(server.url("/new"), OTHER)))) == OTHER


def test_any_file_of_a_row_will_do(server):
    first, second = weight_file(server.url("/gone"), name="first.h5"), weight_file(server.url("/f"))
    assert get(make_row(second)) == get(make_row(first, second))
    assert server.paths() == ["/f"]


def test_a_filled_cache_that_is_read_only_works(server, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    recorded, by_hand = make_row(weight_file(server.url("/f"))), make_row(weight_file(server.url("/f")), tag="by_hand")
    get(recorded)
    os.makedirs(os.path.dirname(cached_path(by_hand, by_hand.files[0])))
    shutil.copy(cached_path(recorded, recorded.files[0]), cached_path(by_hand, by_hand.files[0]))
    for name in ("makedirs", "replace", "remove"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr("tempfile.mkstemp", refuse)
    assert content(get(recorded)) == content(get(by_hand)) == DATA


def test_a_file_for_torch_is_left_out_without_torch(server, monkeypatch):
    pickled = weight_file(server.url("/f"), name="a.pth", format="torch", sha256=sha256(DATA))
    plain = weight_file(server.url("/f"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert get(make_row(pickled, plain)).endswith("weights.h5")
    assert get(make_row(pickled, tag="torch_only")).endswith("a.pth")


def test_the_default_home_is_the_users_cache_folder(monkeypatch):
    monkeypatch.delenv("KERAS_COATNET_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    if sys.platform == "linux":
        assert cache.cache_home() == "/somewhere/keras_coatnet"
    monkeypatch.setenv("KERAS_COATNET_HOME", "~/weights")
    assert cache.cache_home() == os.path.join(os.path.expanduser("~"), "weights")


def test_fetching_does_without_keras(server, tmp_path):
    row = make_row(weight_file(server.url("/f")))
    assert run_child(row, "fetch", manifest=tmp_path / "rows.json") == (0, cached_path(row, row.files[0]))


# Hashes


@pytest.mark.parametrize("known", ["sha256", "sha256_prefix", "md5", "size"])
def test_the_right_hash_of_any_kind_is_taken(server, known):
    import hashlib

    value = {
        "sha256": sha256(DATA),
        "sha256_prefix": sha256(DATA)[:8],
        "md5": hashlib.md5(DATA).hexdigest(),
        "size": len(tensors()),
    }[known]
    if known == "size":
        server.routes["/f"] = file(tensors())
    row = make_row(weight_file(server.url("/f"), **{known: value}, format="safetensors"))
    assert get(row) == get(row)
    assert len(server.requests) == 1


def test_an_md5_that_was_not_recorded_is_measured(server):
    import hashlib

    get(make_row(weight_file(server.url("/f"))))
    get(make_row(weight_file(server.url("/f"), md5=hashlib.md5(DATA).hexdigest())))
    assert len(server.requests) == 1
    with pytest.raises(DownloadError, match="its md5 is"):
        get(make_row(weight_file(server.url("/f"), md5="0" * 32)))


@pytest.mark.parametrize("header", ["X-Linked-Etag", "ETag"])
@pytest.mark.parametrize("redirected", [True, False])
def test_the_hash_that_the_hub_states_is_checked(server, header, redirected):
    """The hub's own answer counts; the storage it redirects to has other tags."""
    data = tensors()

    def serve(stated):
        server.routes |= {
            "/hub": redirect("/store", {header: f'"{stated}"'}),
            "/store": file(data, etag=f'"{"f" * 64}"'),
        }
        server.routes["/f"] = (
            server.routes["/hub"] if redirected else file(data, etag=None, headers={header: f'"{stated}"'})
        )

    row = make_row(weight_file(server.url("/f"), format="safetensors"))
    serve("0" * 64)
    with pytest.raises(DownloadError, match=f"its sha256 is {sha256(data)}, not {'0' * 64}"):
        get(row)
    serve(sha256(data))
    assert content(get(row)) == data


def test_a_tag_that_is_another_kind_of_hash_is_no_sha256(server):
    server.routes["/f"] = file(tensors(), etag=f'"{"a" * 64}"', headers={"X-Xet-Hash": "a" * 64})
    get(make_row(weight_file(server.url("/f"), format="safetensors")))


def test_without_any_hash_what_came_first_is_checked_from_then_on(server):
    row = make_row(weight_file(server.url("/f"), format="safetensors"))
    server.routes["/f"] = file(tensors())
    path = get(row)
    os.remove(path)
    server.routes["/f"] = file(tensors(seed=1))
    with pytest.raises(DownloadError, match=f"and was {sha256(tensors())} when it was first downloaded"):
        get(row)
    server.routes["/f"] = file(tensors())
    assert content(get(row)) == tensors()
    change(path, tensors(seed=1))
    assert content(get(row)) == tensors()


def test_a_file_of_unsaid_length_is_taken_if_it_is_the_one(server):
    server.routes["/f"] = without_length(DATA)
    assert content(get(make_row(weight_file(server.url("/f"))))) == DATA
    server.routes["/cut"] = without_length(DATA[:-1])
    with pytest.raises(DownloadError, match="its sha256 is"):
        get(make_row(weight_file(server.url("/cut")), tag="cut"))
    server.routes["/cut"] = without_length(DATA[:-1], {"X-Linked-Size": "300000"})
    with pytest.raises(DownloadError, match="cut after 299,999 of 300,000 bytes"):
        get(make_row(weight_file(server.url("/cut")), tag="cut"))


def test_a_compressed_answer_is_unpacked(server):
    packed = gzip.compress(DATA)
    server.routes["/f"] = file(packed, headers={"Content-Encoding": "gzip"}, ranges=False)
    assert content(get(make_row(weight_file(server.url("/f"))))) == DATA
    assert server.requests[0].headers["Accept-Encoding"] == "identity"
