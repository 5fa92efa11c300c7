"""Files of keras_cv_attention_models in our models: its stage maps, its logits, and its files back bit for bit."""

import h5py
import numpy as np
import pytest
from golden_cases import (
    STAGES,
    accepted,
    all_outputs,
    assert_close,
    build,
    cases,
    checkpoint_of,
    loaded,
    name_of,
    one_a_file,
)

import keras_coatnet as kc

CASES = accepted("kecam")
FILES = one_a_file("kecam")
REFUSED = [case for case in cases("kecam") if "refused" in case.record]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_stage_maps_and_logits_are_the_peers(case):
    answers = case.answers
    found = all_outputs(loaded(case), answers["x"])
    for name in (*STAGES, "logits"):
        assert_close("kecam", found[name], answers[name], name)


@pytest.mark.parametrize("case", FILES, ids=name_of)
def test_saved_again_the_file_lists_the_peers_layers_with_its_weights(case, tmp_path):
    path = tmp_path / "again.h5"
    kc.save_checkpoint(loaded(case), path, source="kecam")
    expected, got = read(checkpoint_of(case)), read(path)
    # By topology Keras 2 reads a file layer after layer: the order counts.
    assert list(got) == list(expected)
    for layer, weights in expected.items():
        assert [array.shape for _, array in got[layer]] == [array.shape for _, array in weights], layer
        if case.name != "torch_backend_64":  # its variables have torch's names; ours come out with Keras' own
            assert [name for name, _ in got[layer]] == [name for name, _ in weights], layer
        for (name, value), (_, theirs) in zip(got[layer], weights, strict=True):
            np.testing.assert_array_equal(value, theirs, err_msg=name)


@pytest.mark.parametrize("case", REFUSED, ids=name_of)
def test_a_file_whose_tables_mean_nothing_is_refused(case):
    model = build(case)
    before = [np.array(weight) for weight in model.weights]
    with pytest.raises(ValueError, match=case.refused):
        kc.load_checkpoint(model, checkpoint_of(case))
    for value, weight in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(value, np.asarray(weight), err_msg=weight.path)


def read(path):
    """{layer: [(weight name, array), ...]} of the layers with weights, in the file's order."""
    with h5py.File(path, "r") as file:
        root = file.get("model_weights", file)
        layers = {
            layer: [(name, np.array(root[layer][name])) for name in names(root[layer], "weight_names")]
            for layer in names(root, "layer_names")
        }
    return {layer: weights for layer, weights in layers.items() if weights}


def names(group, key):
    """A list of names, which Keras 2 splits over `key0`, `key1`, ... where it is long."""
    pieces = [key] if key in group.attrs else sorted(piece for piece in group.attrs if piece.startswith(key))
    flat = [name for piece in pieces for name in group.attrs[piece]]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in flat]
