"""scripts/benchmark_scaling.py: fitted exponents and the memory of attention maps."""

import importlib.util
from pathlib import Path

import pytest

import keras_coatnet as kc

pytestmark = pytest.mark.backend_free

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark_scaling.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("benchmark_scaling", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_exponent_of_a_power_is_found(script):
    assert script.exponent([2, 4, 8], [5 * side**2.5 for side in (2, 4, 8)]) == pytest.approx(2.5)


def test_attention_maps_are_counted_per_head_and_pair_of_pixels(script):
    # 14 x 14 pixels in 7 blocks, 7 x 7 in 2; the first of a stage has the heads of the width before, half as many.
    found = script.attention_bytes(kc.get_spec("coatnet_0_rw"), 224)
    assert found["largest_map_bytes"] == 4 * 12 * 196**2
    assert found["map_bytes"] == 4 * ((6 + 6 * 12) * 196**2 + (12 + 24) * 49**2)
