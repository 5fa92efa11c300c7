"""Files of keras_cv_attention_models that cannot be read as what they seem, and how ours are laid out."""

import json

import h5py
import numpy as np
import pytest
from checkpoints import assert_same_weights, make, untouched

import keras_coatnet as kc
from keras_coatnet.weights.formats.legacy_h5 import ATTRIBUTE_LIMIT, names_attribute, write_names

SHAPE = (64, 64, 3)


@pytest.fixture
def saved(tmp_path):
    """(model, path of its file)"""
    model = make(input_shape=SHAPE)
    kc.save_checkpoint(model, tmp_path / "saved.h5", "kecam")
    return model, tmp_path / "saved.h5"


def test_values_of_the_old_width_are_refused_with_the_date(tmp_path):
    spec = kc.narrow("coatnet_0", (1, 1, 1, 1), (8, 32, 64, 64), 8)
    model = kc.CoAtNet(spec, input_shape=SHAPE, num_classes=5)
    path = tmp_path / "old.h5"
    kc.save_checkpoint(model, path, "kecam")
    with h5py.File(path, "r+") as file:
        group = file["stack_3_block_1_mhsa_qkv_conv"]
        del group["stack_3_block_1_mhsa_qkv_conv/kernel:0"]
        # The stage is entered with 32 channels, one head, and left with 64: then 32 + 32 + 64 columns.
        group["stack_3_block_1_mhsa_qkv_conv/kernel:0"] = np.zeros((1, 1, 32, 128), "float32")
    with untouched(model), pytest.raises(ValueError, match=r"2022-04-24.*128 columns, today 96"):
        kc.load_checkpoint(model, path)


def test_a_table_of_a_non_square_map_is_refused(saved):
    model, path = saved
    with h5py.File(path, "r+") as file:
        group = file["stack_4_block_1_mhsa_pos_emb"]
        del group["stack_4_block_1_mhsa_pos_emb/positional_embedding:0"]
        group["stack_4_block_1_mhsa_pos_emb/positional_embedding:0"] = np.zeros((1, 15), "float32")
    with untouched(model), pytest.raises(ValueError, match=r"15 offsets.*non-square"):
        kc.load_checkpoint(model, path)


def test_a_non_square_whole_model_is_refused_even_where_its_table_looks_square(saved):
    """2x14 pixels have as many offsets as 5x5; the input size that a whole-model file states tells them apart."""
    model, path = saved
    layers = [{"class_name": "InputLayer", "config": {"batch_input_shape": [None, 64, 448, 3]}}]
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps({"config": {"layers": layers}})
    with untouched(model), pytest.raises(ValueError, match=r"non-square map \(64x448 images\)"):
        kc.load_checkpoint(model, path)


def test_a_square_table_fits_a_non_square_model(saved):
    _, path = saved
    wide = make(input_shape=(64, 96, 3), seed=1)
    assert kc.load_checkpoint(wide, path).resized == (((4, 4), (4, 6)), ((2, 2), (2, 3)))


def test_missing_extra_and_misshapen_weights_are_told_at_once(saved):
    model, path = saved
    with h5py.File(path, "r+") as file:
        names = list(file.attrs["layer_names"])
        names.remove("stem_1_bn")
        file.create_group("surplus").attrs["weight_names"] = ["surplus/kernel:0"]
        file["surplus"]["surplus/kernel:0"] = np.zeros(3)
        file.attrs["layer_names"] = [*names, "surplus"]
        group = file["stem_2_conv"]
        del group["stem_2_conv/kernel:0"]
        group["stem_2_conv/kernel:0"] = np.zeros((3, 3, 8, 9), "float32")
    with untouched(model), pytest.raises(ValueError) as error:
        kc.load_checkpoint(model, path)
    message = str(error.value)
    assert "missing (4): stem_1_bn/gamma:0" in message
    assert "unexpected (1): surplus/kernel:0" in message
    assert "stem_2_conv/kernel:0: (3, 3, 8, 9) in the file, (3, 3, 8, 8) in the model" in message


def test_a_list_of_names_past_the_limit_is_split_and_read_back(tmp_path):
    names = [f"a_long_name_of_a_layer_{number:05}" for number in range(6000)]
    with h5py.File(tmp_path / "names.h5", "w") as file:
        write_names(file, "layer_names", names)
        assert "layer_names" not in file.attrs
        assert all(len(file.attrs[key]) * 40 < ATTRIBUTE_LIMIT for key in file.attrs)
        assert names_attribute(file, "layer_names") == names


def test_the_order_of_layers_is_the_peers_own(saved):
    """Keras 2 loads by position unless told otherwise."""
    _, path = saved
    with h5py.File(path) as file:
        names = [name for name in names_attribute(file, "layer_names") if name.startswith("stack_3_block_1")]
    parts = [name.removeprefix("stack_3_block_1_") for name in names]
    assert parts == [
        "preact_ln",
        "mhsa_qkv_conv",
        "mhsa_pos_emb",
        "shortcut_conv",
        "mhsa_output",
        "ffn_preact_ln",
        "ffn_1_conv",
        "ffn_2_conv",
    ]


def test_round_trip_through_the_peers_layout_is_exact(saved):
    model, path = saved
    other = make(input_shape=SHAPE, seed=1)
    assert kc.load_checkpoint(other, path).source == "kecam"
    assert_same_weights(model, other)
