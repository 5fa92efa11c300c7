"""Manifest rows for made-up files, a cache and a server for them, and other processes that fetch them."""

import contextlib
import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from server import file, serving

from keras_coatnet.weights.download.fetch import fetch
from keras_coatnet.weights.download.progress import SILENT
from keras_coatnet.weights.download.transport import Settings
from keras_coatnet.weights.manifest import ManifestRow, Preprocessing, WeightFile

# Short, and without waits between tries. A try that brings less than stall_bytes more than the ones before counts.
FAST = Settings(connect_timeout=5, read_timeout=0.3, stall_timeout=5, stall_bytes=1 << 14, retries=3, backoff=0)
DATA = np.random.default_rng(0).bytes(300_000)
VARIABLES = ("HOME", "OFFLINE", "MIRROR", "MANIFEST")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def weight_file(url, data=DATA, name="weights.h5", **known):
    """A `WeightFile`; its hash is the data's sha256 unless something else is known of it."""
    known = known or {"sha256": sha256(data)}
    return WeightFile(url=url, file=name, format=known.pop("format", "legacy_h5"), **known)


def make_row(*files, tag="made"):
    preprocessing = Preprocessing((0.5,) * 3, (0.5,) * 3, 0.9, "center", "resize_then_crop", "bicubic")
    return ManifestRow("coatnet_0", tag, 224, 1000, "kecam", tuple(files), preprocessing)


def tensors(seed=0):
    """A whole safetensors file, as bytes: for rows without any hash, whose files have to be of their format."""
    from safetensors.numpy import save

    return save({"a": np.random.default_rng(seed).random((30, 40), "float32")})


def use_home(monkeypatch, path):
    """Point the cache at a folder and forget what the tester's own shell says."""
    for name in VARIABLES:
        monkeypatch.delenv(f"KERAS_COATNET_{name}", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("KERAS_COATNET_HOME", str(path))


def get(row, settings=FAST, **options):
    """The path that `fetch` gives, without a word."""
    return fetch(row, SILENT, settings=settings, **options)


def content(path):
    with open(path, "rb") as opened:
        return opened.read()


def change(path, data, keep_time=False):
    """Replace what a file holds; with `keep_time` nothing but its content shows it."""
    before = os.stat(path)
    with open(path, "wb") as opened:
        opened.write(data)
    later = before.st_mtime_ns if keep_time else before.st_mtime_ns + 10**9
    os.utime(path, ns=(later, later))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A cache folder of its own, which is not there yet."""
    use_home(monkeypatch, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def server():
    """A `Server` with `DATA` at /f."""
    with serving() as server:
        server.routes["/f"] = file(DATA)
        yield server


def files_in(folder):
    """Names of the files below a folder, but for locks."""
    return sorted(path.name for path in Path(folder).rglob("*") if path.is_file() and path.parent.name != "locks")


def assert_whole(path, data=DATA):
    """The file is there, with its record and nothing else."""
    with open(path, "rb") as opened:
        assert opened.read() == data
    assert files_in(os.path.dirname(path)) == sorted([os.path.basename(path), os.path.basename(path) + ".json"])


@contextlib.contextmanager
def child(row, *arguments, manifest):
    """A running process that does what `light_process` says with a row, through a manifest file of its own."""
    manifest.write_text(json.dumps([json.loads(json.dumps(dataclasses.asdict(row)))]))
    environment = os.environ | {"KERAS_COATNET_MANIFEST": str(manifest), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-W", "error", str(Path(__file__).with_name("light_process.py")), row.name, *arguments]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run_child(row, *arguments, manifest):
    """(exit code, last line printed) of a `child`."""
    with child(row, *arguments, manifest=manifest) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode <= 0, err
    return process.returncode, out.splitlines()[-1] if out else ""
