"""Eight devices, two processes and TensorFlow's replicas train as one device does; each in a process of its own."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[2]
PATIENCE = 900
CLOSE = 1e-5

jax_only = pytest.mark.skipif(keras.backend.backend() != "jax", reason="keras.distribution is JAX's")
tensorflow_only = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.distribute")


def start(*arguments):
    path = os.pathsep.join([str(TESTS), *sys.path])
    command = [sys.executable, TESTS / "scaled_run.py", *map(str, arguments)]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path})


def found(folder, name):
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("devices")
    assert start("devices", 8, folder).wait(PATIENCE) == 0
    return found(folder, "devices")


def numbers(row):
    return {name: value for name, value in row.items() if "second" not in name}


def assert_same_run(ours, expected):
    """Losses behind every batch, and loss and accuracy of the held-out pictures."""
    np.testing.assert_allclose(ours[0], expected[0][-len(ours[0]) :], rtol=0, atol=CLOSE)
    assert numbers(ours[1]) == pytest.approx(numbers(expected[1]), rel=0, abs=CLOSE)


@jax_only
@pytest.mark.parametrize("kind", ["data", "model"])
def test_eight_devices_have_the_losses_of_one(eight, kind):
    assert len(eight["one"]) == 4
    assert eight["one"][0] - eight["one"][-1] > 0.1
    assert_same_run((eight[kind], eight[f"{kind}_row"]), (eight["one"], eight["one_row"]))


@jax_only
def test_checkpoint_of_eight_devices_goes_on_on_two(eight):
    assert len(eight["resumed"]) == 2
    assert_same_run((eight["resumed"], eight["resumed_row"]), (eight["one"], eight["one_row"]))


@jax_only
def test_eight_devices_answer_as_one_does_to_a_single_picture_too(eight):
    for name in ("data_answers", "model_answers", "loaded_answers"):
        np.testing.assert_allclose(eight[name], eight["one_answers"], rtol=0, atol=CLOSE)
    np.testing.assert_allclose(eight["data_answer_to_one"], eight["one_answers"][:1], rtol=0, atol=CLOSE)


@jax_only
def test_kernels_and_what_the_optimizer_keeps_of_them_are_cut(eight):
    cut = eight["cut"]
    assert cut["stage2_block1/attention/qkv/kernel"] == [8, 12]
    assert cut["stage2_block1/mlp_projection/kernel"] == [16, 8]
    assert cut["stage1_block1/depthwise/kernel"] == [3, 3, 8, 1]
    kernels = [path for path in cut if path.endswith("/kernel")]
    slots = [path for path in cut if path.endswith(("_kernel_momentum", "_kernel_average"))]
    assert len(kernels) == 9
    assert len(slots) == 2 * len(kernels) == len(cut) - len(kernels)


@jax_only
def test_two_processes_stop_together_and_have_the_losses_of_one(eight, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    children = [start("processes", 2, index, port, tmp_path) for index in range(2)]
    assert [child.wait(PATIENCE) for child in children] == [0, 0]
    for index in range(2):
        process = found(tmp_path, f"process{index}")
        assert len(process["losses"]) == 3
        assert "is spread over 2 processes" in process["refusal"]
        assert_same_run((process["losses"], process["row"]), (eight["one"], eight["one_row"]))
        assert process["names"] == [f"row {row}" for row in range(11)]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "classes.json",
        "model.keras",
        "model.weights.h5",
    ]


@tensorflow_only
def test_replicas_train_answer_and_go_on(tmp_path):
    """Their norms see a part of each batch, so that their losses are near those of one device, not equal."""
    assert start("replicas", 2, tmp_path).wait(PATIENCE) == 0
    run = found(tmp_path, "replicas")
    assert len(run["losses"]) == 2
    assert np.isfinite(run["losses"]).all()
    assert run["row"]["epoch"] == 2
    # Eleven pictures in batches of eight: the padding is counted nowhere.
    assert run["row"]["val_accuracy"] * 11 == pytest.approx(round(run["row"]["val_accuracy"] * 11), abs=1e-4)
    np.testing.assert_allclose(run["answer_to_one"], run["answers"][:1], rtol=0, atol=CLOSE)
    np.testing.assert_allclose(run["loaded_answers"], run["answers"], rtol=0, atol=CLOSE)
