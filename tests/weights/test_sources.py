"""Where fetch looks: mirrors before addresses, proxies, and nowhere when offline."""

import re

import pytest
from fetching import DATA, content, files_in, get, make_row, sha256, weight_file
from server import file

from keras_coatnet.weights.cache import cached_path
from keras_coatnet.weights.download.fetch import DownloadError

pytestmark = [pytest.mark.backend_free, pytest.mark.usefixtures("home")]


@pytest.fixture(params=["folder", "file address", "http"])
def mirror(request, server, tmp_path, monkeypatch):
    """(a function that puts a file into the mirror, the kind of mirror)."""
    folder = tmp_path / "mirror"
    folder.mkdir()

    def put(name, data):
        (folder / name).write_bytes(data)
        server.routes[f"/base/{name}"] = file(data)

    value = {"folder": str(folder), "file address": folder.as_uri(), "http": server.url("/base/")}[request.param]
    monkeypatch.setenv("KERAS_COATNET_MIRROR", value)
    return put, request.param


def test_a_mirror_is_asked_first(server, mirror):
    put, _ = mirror
    put("weights.h5", DATA)
    assert content(get(make_row(weight_file(server.url("/f"))))) == DATA
    assert "/f" not in server.paths()


def test_a_file_at_a_mirror_with_a_wrong_hash_is_refused(server, mirror, home):
    put, kind = mirror
    put("weights.h5", DATA[::-1])
    path = get(make_row(weight_file(server.url("/f"))))
    assert content(path) == DATA
    assert server.paths() == (["/base/weights.h5", "/f"] if kind == "http" else ["/f"])
    with pytest.raises(DownloadError, match=re.escape(f"its sha256 is {sha256(DATA[::-1])}, not")):
        get(make_row(weight_file(server.url("/gone")), tag="other"))
    assert files_in(home) == ["weights.h5", "weights.h5.json"]


def test_a_mirror_may_have_the_second_file_only(server, mirror):
    put, _ = mirror
    put("second.h5", DATA)
    row = make_row(weight_file(server.url("/f")), weight_file(server.url("/f"), name="second.h5"))
    assert get(row).endswith("second.h5")
    assert "/f" not in server.paths()


def test_offline_only_the_cache_and_folders_are_used(server, mirror, monkeypatch):
    put, kind = mirror
    cached, mirrored = make_row(weight_file(server.url("/f")), tag="cached"), make_row(weight_file(server.url("/f")))
    get(cached)
    asked = len(server.requests)
    monkeypatch.setenv("KERAS_COATNET_OFFLINE", "1")
    assert content(get(cached)) == DATA
    put("weights.h5", DATA)
    if kind == "http":
        with pytest.raises(DownloadError, match="not asked, since KERAS_COATNET_OFFLINE is set"):
            get(mirrored)
    else:
        assert content(get(mirrored)) == DATA
    assert len(server.requests) == asked


def test_offline_without_a_cache_says_where_to_put_the_file(server, monkeypatch):
    monkeypatch.setenv("KERAS_COATNET_OFFLINE", "1")
    row = make_row(weight_file(server.url("/f")))
    with pytest.raises(DownloadError, match=re.escape(f"{server.url('/f')}\n    as {cached_path(row, row.files[0])}")):
        get(row)
    assert server.requests == []


def test_offline_takes_yes_or_no(server, monkeypatch):
    monkeypatch.setenv("KERAS_COATNET_OFFLINE", "perhaps")
    with pytest.raises(ValueError, match="must be 1 or 0; got 'perhaps'"):
        get(make_row(weight_file(server.url("/f"))))
    monkeypatch.setenv("KERAS_COATNET_OFFLINE", "0")
    get(make_row(weight_file(server.url("/f"))))


def test_a_proxy_is_used(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", server.url("/"))
    server.routes["http://weights.example/f"] = file(DATA)
    assert content(get(make_row(weight_file("http://weights.example/f")))) == DATA
    assert server.paths() == ["http://weights.example/f"]
    assert server.requests[0].headers["User-Agent"].startswith("keras-coatnet/")


def test_a_proxy_that_refuses_is_told(server, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", server.url("/"))
    with pytest.raises(DownloadError, match=r"https://weights.example/f: the proxy could not be used"):
        get(make_row(weight_file("https://weights.example/f")))
