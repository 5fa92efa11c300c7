"""`keras-coatnet train` on several devices: what cannot be is refused before any work, what can is done."""

import argparse
import json

import keras
import pytest

from keras_coatnet.cli.main import main
from keras_coatnet.cli.training import devices as training_devices
from keras_coatnet.cli.training.devices import device_count, on_devices, smaller_batches
from keras_coatnet.training.recipes import get_recipe
from keras_coatnet.training.scale.parts import ALONE, Parts

BACKEND = keras.backend.backend()


def train(*options):
    return main(["train", "--data", "nowhere", "--model", "coatnet_0", "--out", "nowhere", *options])


@pytest.mark.backend_free
def test_devices_are_a_number_or_all():
    assert (device_count("8"), device_count("all")) == (8, "all")
    with pytest.raises(argparse.ArgumentTypeError, match="got 'none'"):
        device_count("none")


def test_what_the_devices_cannot_do_is_told_in_one_line(capsys):
    assert train("--model-parallel", "7") == 2
    wanted = "model_parallel must divide the 1 devices; got 7" if BACKEND == "jax" else "KERAS_BACKEND=jax"
    assert wanted in capsys.readouterr().err
    assert train("--devices", "99") == 2
    error = capsys.readouterr().err
    assert ("KERAS_BACKEND=jax" if BACKEND == "torch" else "devices must be from 1 to 1") in error
    assert error.count("\n") == 1


@pytest.mark.skipif(BACKEND == "jax", reason="JAX can")
def test_several_processes_are_refused_where_there_cannot_be(capsys):
    assert train("--multi-process") == 2
    assert f"A run in several processes needs KERAS_BACKEND=jax; got {BACKEND}." in capsys.readouterr().err


@pytest.mark.skipif(BACKEND != "jax", reason="keras.distribution is JAX's")
def test_options_give_a_distribution_that_ends_with_the_command():
    options = argparse.Namespace(devices="all", model_parallel=None, multi_process=False)
    before = keras.distribution.distribution()
    with on_devices(options):
        assert keras.distribution.distribution().num_model_replicas == len(keras.distribution.list_devices())
    assert keras.distribution.distribution() is before


@pytest.mark.backend_free
def test_only_batches_that_are_made_smaller_are_a_setting_of_the_run(monkeypatch):
    recipe = get_recipe("transfer").replace(batch_size=20, accumulation=2)
    for parts, expected in ((ALONE, {}), (Parts(multiple=5), {}), (Parts(multiple=4), {"batch": 8})):
        monkeypatch.setattr(training_devices, "current_parts", lambda parts=parts: parts)
        assert smaller_batches(recipe, 100) == expected
    assert json.dumps(smaller_batches(recipe, 4)) == "{}"
