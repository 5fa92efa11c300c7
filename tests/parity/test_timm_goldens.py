"""timm's checkpoints in our models: its stage maps, its logits, and its files back bit for bit."""

import numpy as np
import pytest
from golden_cases import STAGES, accepted, all_outputs, assert_close, build, checkpoint_of, loaded, name_of, one_a_file

import keras_coatnet as kc

CASES = accepted("timm")
FILES = one_a_file("timm")
# Counts batches in training; ours starts at 0. Of no other tensor may the value differ.
COUNTER = "num_batches_tracked"


def read(path):
    """name -> array of a `.safetensors` file, or of the state dict that a training script wrapped."""
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        return load_file(path)
    torch = pytest.importorskip("torch")
    content = torch.load(path, map_location="cpu", weights_only=True)
    return {name: tensor.numpy() for name, tensor in content.get("state_dict", content).items()}


def needs_torch(case):
    if case.ending == ".pth":
        pytest.importorskip("torch")


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_stage_maps_and_logits_are_timms(case):
    needs_torch(case)
    answers = case.answers
    found = all_outputs(loaded(case), answers["x"])
    for name in (*STAGES, "logits"):
        assert_close("timm", found[name], answers[name], name)


@pytest.mark.parametrize("case", FILES, ids=name_of)
def test_saved_again_the_file_is_timms_own(case, tmp_path):
    needs_torch(case)
    if case.is_resized:
        case = at_saved_size(case)
    path = tmp_path / f"again{case.ending}"
    kc.save_checkpoint(loaded_or_built(case), path, source="timm")
    expected, got = read(checkpoint_of(case)), read(path)
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert (got[name].shape, got[name].dtype) == (value.shape, value.dtype), name
        if not name.endswith(COUNTER):
            np.testing.assert_array_equal(got[name], value, err_msg=name)


def at_saved_size(case):
    record = {**case.record, "name": f"{case.name}_own_size", "input_shape": [*case.saved_at, 3]}
    return type(case)(case.peer, record)


def loaded_or_built(case):
    if case.name in {known.name for known in CASES}:
        return loaded(case)
    model = build(case)
    kc.load_checkpoint(model, checkpoint_of(case))
    return model


def test_tables_that_were_resized_are_saved_in_their_new_size(tmp_path):
    case = next(case for case in CASES if case.name == "coatnet_0_rw_at_64x96")
    model = loaded(case)
    path = tmp_path / "resized.safetensors"
    kc.save_checkpoint(model, path, source="timm")
    again = build(case)
    report = kc.load_checkpoint(again, path)
    assert report.resized == ()
    for ours, theirs in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs), err_msg=ours.path)


def test_every_variant_of_timm_has_a_golden():
    """Sizes aside: the paper-like ones differ in depths and widths alone, and so do rmlp_2_rw and rmlp_3_rw."""
    alike = {f"coatnet_{number}_timm" for number in range(1, 6)} | {"coatnet_rmlp_3_rw"}
    variants = {name for name in kc.list_variants() if kc.get_spec(name).family == "timm"}
    assert {case.base for case in CASES} == variants - alike
