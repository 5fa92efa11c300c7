"""Parts of a model in a profile: every one once, costs that add up, finite calls, floors."""

import itertools

import keras
import numpy as np
import pytest
from narrow_twins import narrow_twin
from running import quick_compilation

import keras_coatnet as kc
from keras_coatnet.allocator import SWITCH
from keras_coatnet.benchmark.profile import CALLS, floors, open_profile, split

LIMITS = {"flops": 100.0, "bytes_a_second": 8.0}


@pytest.fixture(scope="module")
def twin():
    """Two equal blocks in the last stage."""
    return kc.CoAtNet(narrow_twin("coatnet_0_rw", extra_depth=2), input_shape=(32, 64, 3), classifier_activation=None)


@pytest.mark.backend_free
def test_parts_are_all_layers_in_order_and_equal_ones_are_one(twin):
    parts = split(twin)
    names = [name for part in parts for name in part.members]
    assert names[0] == "stem"
    assert names[-1] == "head"
    assert len(set(names)) == len(names) == 2 + sum(twin.spec.depths)
    assert [part.members for part in parts if len(part.members) > 1] == [("stage4_block2", "stage4_block3")]


@pytest.mark.backend_free
def test_each_part_takes_what_the_one_before_gives(twin):
    parts = {name: part.model for part in split(twin) for name in part.members}
    chain = [parts[name] for name in ("stem", *(f"stage{n}_block1" for n in (1, 2, 3, 4)), "stage4_block2", "head")]
    assert all(first.output_shape == then.input_shape for first, then in itertools.pairwise(chain))
    assert chain[0].input_shape == twin.input_shape
    assert chain[-1].output_shape == twin.output_shape


@pytest.mark.backend_free
def test_multiply_adds_of_the_parts_are_those_of_the_model(twin):
    assert sum(len(part.members) * part.macs for part in split(twin)) == kc.count(twin.spec, (32, 64)).macs


def test_every_part_and_the_whole_have_calls_and_the_first_and_last_are_finite(monkeypatch):
    monkeypatch.setenv(SWITCH, "0")
    with quick_compilation():
        made = open_profile(lambda step: None, "test_coatnet", batch_size=1, image_size=(32, 32))
        names = [*(row["name"] for row in made["about"]["parts"]), "whole"]
        assert set(made["calls"]) == {f"{name}/{call}" for name in names for call in CALLS}
        for name in ("stem", "head"):
            for call in CALLS:
                assert np.isfinite(keras.ops.convert_to_numpy(_first(made["calls"][f"{name}/{call}"]()))).all()


def _first(answer):
    """Some number of what a call gives back."""
    while isinstance(answer, tuple | list):
        answer = answer[0]
    return answer


@pytest.mark.backend_free
def test_floor_is_products_or_traffic():
    part = {"flop": 50, "inputs": 1, "outputs": 2, "weights": 5}
    found = floors(part, LIMITS)
    assert found["forward"] == {"products": 0.5, "traffic": 4 * 8 / 8}
    assert found["backward"] == {"products": 1.0, "traffic": 4 * (2 + 2 + 10) / 8}


@pytest.mark.backend_free
def test_other_families_are_refused():
    model = kc.build(kc.narrow("coat_lite_tiny", (1, 1, 1, 1), (8, 8, 8, 8)), input_shape=(32, 32, 3))
    with pytest.raises(ValueError, match="Only CoAtNets are profiled by blocks; got 'coat_lite_tiny"):
        split(model)
