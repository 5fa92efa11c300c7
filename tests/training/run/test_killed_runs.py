"""kill -9 at any moment, also in the middle of writing a checkpoint, costs no more than the batches since the last."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from killed_run import last_weights

from keras_coatnet.training.run.checkpoints import STATE_FILE, read_about

KILLS = int(os.environ.get("KILLS", "2"))
PATIENCE = 120


def start(folder):
    tests = Path(__file__).parents[2]
    path = os.pathsep.join([str(tests), *sys.path])
    return subprocess.Popen([sys.executable, tests / "killed_run.py", folder], env=os.environ | {"PYTHONPATH": path})


def wait_for_another_checkpoint(child, file):
    before = file.stat().st_mtime_ns if file.exists() else None
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and child.poll() is None:
        if file.exists() and file.stat().st_mtime_ns != before:
            return
    raise AssertionError(f"no checkpoint; the child's code is {child.poll()}")


@pytest.mark.slow
def test_killed_run_ends_with_the_weights_of_one_that_was_not(tmp_path):
    generator = random.Random(int(os.environ.get("KILL_SEED", "0")))
    positions = []
    for _ in range(KILLS):
        with start(tmp_path) as child:
            wait_for_another_checkpoint(child, tmp_path / STATE_FILE)
            # Spinning, not sleeping: a batch and its checkpoint take a few milliseconds.
            moment = time.perf_counter() + generator.uniform(0, 0.1)
            while time.perf_counter() < moment:
                pass
            child.kill()
        assert child.returncode == -9
        positions.append(read_about(tmp_path)["state"]["position"])
    with start(tmp_path) as child:
        assert child.wait(PATIENCE) == 0
    assert positions == sorted(positions)
    assert positions[-1] > [0, 0]
    with np.load(tmp_path / "last.npz") as last:
        for name, expected in zip(last.files, last_weights(None), strict=True):
            np.testing.assert_array_equal(last[name], expected)
