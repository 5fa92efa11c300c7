"""A cache of its own and a server for the tests that download."""

import pytest
from fetching import DATA, use_home
from server import file, serving


@pytest.fixture
def home(tmp_path, monkeypatch):
    use_home(monkeypatch, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def server():
    """A `Server` with `DATA` at /f."""
    with serving() as server:
        server.routes["/f"] = file(DATA)
        yield server
