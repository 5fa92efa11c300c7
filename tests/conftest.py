"""What holds for every test: a chosen backend, fixed seeds, no network."""

import importlib
import os
import signal
import socket

import pytest

BACKENDS = ("tensorflow", "jax", "torch")

if os.environ.get("KERAS_BACKEND") not in BACKENDS:
    raise pytest.UsageError(f"Set KERAS_BACKEND to one of {', '.join(BACKENDS)}; scripts/test runs all three.")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As a shell starts what runs in its background; tests of interruption need what a terminal gives.
    signal.signal(signal.SIGINT, signal.default_int_handler)

if os.environ["KERAS_BACKEND"] == "torch":
    # Loaded after TensorFlow, which Keras imports where it finds it, torch can crash the process.
    importlib.import_module("torch")

import hypothesis
import keras

hypothesis.settings.register_profile("repeatable", derandomize=True, max_examples=50, deadline=None)
hypothesis.settings.load_profile("repeatable")

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def pytest_addoption(parser):
    parser.addoption("--network", action="store_true", help="also run the tests that download something")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--network"):
        return
    network = [item for item in items if item.get_closest_marker("network")]
    config.hook.pytest_deselected(items=network)
    items[:] = [item for item in items if item not in network]


@pytest.fixture(autouse=True)
def _fixed_seed():
    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def _no_network(request, monkeypatch):
    """Only tests marked `network` may connect to anything but this machine."""
    if request.node.get_closest_marker("network"):
        return
    connect = socket.socket.connect

    def connect_locally(self, address):
        if self.family != getattr(socket, "AF_UNIX", None) and address[0] not in LOOPBACK:
            raise RuntimeError(f"a test without the marker `network` connects to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_locally)
