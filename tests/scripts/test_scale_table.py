"""The table of docs/scale.md is fresh, and its arithmetic is that of built models."""

import importlib.util
import math
import re
from pathlib import Path

import pytest
from narrow_twins import narrow_twin

import keras_coatnet as kc
from keras_coatnet.training.scale.layouts import sharded_kernels

pytestmark = pytest.mark.backend_free

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("scale_table", ROOT / "scripts" / "scale_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_what_the_script_writes(script):
    assert script.PAGE.read_text(encoding="utf-8") == script.page(), (
        "docs/scale.md is stale: run scripts/scale_table.py"
    )


@pytest.mark.parametrize("name", ["coatnet_4_paper", "coatnet_0", "coatnet_1_rw"])
def test_cut_weights_are_those_that_the_layout_cuts(script, name):
    spec = narrow_twin(name)
    model = kc.build(spec, input_shape=(spec.input_size, spec.input_size, 3))
    cut = sum(
        math.prod(variable.shape)
        for variable in model.variables
        if any(re.fullmatch(pattern, variable.path) for pattern in sharded_kernels())
    )
    assert script.parameters(spec) == (kc.count(spec).parameters - cut, cut)


def test_kept_maps_of_a_block_of_each_kind(script):
    spec = kc.coatnet_spec((1, 1), (8, 16), 4, layout="CT", head_dim=8, stride_in="depthwise", se_ratio=0.25)
    stem = 2 * 4 * 16**2 * 2  # two convolutions of 4 channels, each with its input or what its norm makes
    convolutional = (2 * 16**2 * 4, 16 * (2 * 16**2 + 3 * 8**2))
    attention = ((8**2 + 4**2) * 8 + 2 * 4**2 * 16, 4**2 * (4 * 8 + 2 * 64) + 3 * 1 * 4**4)
    found = script.activations(spec, 32)
    assert found == (stem + convolutional[0] + attention[0], convolutional[1] + attention[1])


def test_plan_fits_and_cuts_no_more_than_it_must(script):
    small, large = (script.plan(kc.get_spec(name), 64, 32) for name in ("coatnet_4_paper", "coatnet_7_paper"))
    assert (small.cut, large.cut) == (1, 4)
    assert all(found.state + found.activations < 32 * 2**30 for found in (small, large))
    assert script.plan(kc.get_spec("coatnet_7_paper"), 64, 80).cut == 2
    with pytest.raises(SystemExit, match="does not fit on 8 accelerators of 4 GiB"):
        script.plan(kc.get_spec("coatnet_7_paper"), 8, 4)
