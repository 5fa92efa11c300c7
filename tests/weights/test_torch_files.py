"""PyTorch's containers: what lies where in them, and that none of their code runs."""

import argparse
import os
import pickle

import numpy as np
import pytest
from checkpoints import assert_same_weights, make, untouched

import keras_coatnet as kc

torch = pytest.importorskip("torch")
NAME, SHAPE = "coatnet_rmlp_2_rw", (64, 64, 3)


@pytest.fixture(scope="module")
def model():
    return make(NAME, input_shape=SHAPE)


@pytest.fixture(scope="module")
def state(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("torch") / "saved.pth"
    kc.save_checkpoint(model, path, "timm")
    return torch.load(path, weights_only=True)


def load(content, tmp_path, **options):
    path = tmp_path / "file.bin"
    torch.save(content, path, **options)
    loaded = make(NAME, input_shape=SHAPE, seed=1)
    kc.load_checkpoint(loaded, path)
    return loaded


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("container", [None, "state_dict_ema", "model_ema", "state_dict", "model"])
def test_tensors_are_found_in_their_container(model, state, container, zipped, tmp_path):
    content = state if container is None else {container: state, "epoch": 3, "args": argparse.Namespace(lr=0.1)}
    loaded = load(content, tmp_path, _use_new_zipfile_serialization=zipped)
    assert_same_weights(model, loaded)


def test_averaged_weights_win_over_plain_ones(model, state, tmp_path):
    plain = {name: tensor + 1 for name, tensor in state.items()}
    assert_same_weights(model, load({"state_dict": plain, "state_dict_ema": state}, tmp_path))


def test_prefixes_of_wrappers_are_stripped(model, state, tmp_path):
    wrapped = {f"module._orig_mod.{name}": tensor for name, tensor in state.items()}
    assert_same_weights(model, load(wrapped, tmp_path))


def test_half_precision_is_read(model, state, tmp_path):
    loaded = load({name: t.bfloat16() if t.is_floating_point() else t for name, t in state.items()}, tmp_path)
    kernel = loaded.get_layer("predictions").kernel
    want = state["head.fc.weight"].bfloat16().float().numpy().T
    np.testing.assert_array_equal(np.asarray(kernel.numpy() if hasattr(kernel, "numpy") else kernel), want)


class Malicious:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("zipped", [True, False])
def test_no_code_of_a_file_runs(model, state, zipped, tmp_path):
    marker, path = tmp_path / "ran", tmp_path / "file.pth"
    torch.save({"state_dict": state, "extra": Malicious(marker)}, path, _use_new_zipfile_serialization=zipped)
    complaint = rf"runs no code of a file: it asks for {os.name}\.mkdir\.$"
    with untouched(model), pytest.raises(ValueError, match=complaint):
        kc.load_checkpoint(model, path)
    path.write_bytes(pickle.dumps(Malicious(marker), protocol=2))
    with untouched(model), pytest.raises(ValueError, match=complaint):
        kc.load_checkpoint(model, path)
    assert not marker.exists()


def test_a_broken_pickle_is_told_without_advice_to_run_it(model, tmp_path):
    path = tmp_path / "file.pth"
    path.write_bytes(b"\x80\x02g")
    with untouched(model), pytest.raises(ValueError, match=r"runs no code of a file: [^.]+\.$"):
        kc.load_checkpoint(model, path)


def test_a_file_without_tensors_says_what_it_holds(model, tmp_path):
    path = tmp_path / "file.pth"
    torch.save({"epoch": 3, "state_dict": {}}, path)
    with pytest.raises(ValueError, match="holds no dictionary of tensors; it holds: epoch, state_dict"):
        kc.load_checkpoint(model, path)
