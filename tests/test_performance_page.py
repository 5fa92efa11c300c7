"""docs/performance.md is what its command writes from the files beside it, and says only what they hold."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from keras_coatnet import allocator

pytestmark = pytest.mark.backend_free

ROOT = Path(__file__).parents[1]
MACHINE = {"processor": "A processor", "versions": {"keras": "3.0"}}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("performance_page", ROOT / "scripts" / "performance_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def peer_row(name, milliseconds, faults, peak, over):
    row = {"name": name, "variant": "coatnet_0_rw", "mode": "inference", "image_size": [224, 192], "batch_size": 8}
    row |= {"milliseconds": milliseconds, "floor_milliseconds": 40.0, "utilisation": 0.5, "images_a_second": 80.0}
    seconds = [milliseconds / 1000] * 3
    return {**row, "peak_bytes": peak, "page_faults": faults, "over": over, "seconds": seconds, "group": 0}


def write(folder, **records):
    for name, record in records.items():
        (folder / f"{name}.json").write_text(json.dumps(record))


def test_page_is_what_the_script_writes(script):
    assert script.PAGE.read_text(encoding="utf-8") == script.page(script.FOLDER), "run scripts/performance_page.py"


def test_nothing_measured_gives_no_table(script, tmp_path):
    text = script.page(tmp_path)
    assert "|" not in text
    assert "Beside the peers" not in text


def test_peers_are_a_table_with_ratios_and_what_kept_memory_is_worth(script, tmp_path):
    over = {"timm+m": [1.0, 1.0, 1.0]}
    rows = [
        peer_row("timm+m", 100.0, 5.0, 9e8, over),
        peer_row("timm", 125.0, 117000.0, 8e8, {"timm+m": [0.8, 0.75, 0.85]}),
        peer_row("ours jax", 50.0, 5.0, 9e8, over),
        peer_row("ours jax, fused", 40.0, 5.0, 9e8, over),
    ]
    settings = {"threads": 2, "rounds": 7}
    write(tmp_path, peers={"machine": MACHINE, "settings": settings, "load_before": 0.25, "rows": rows})
    text = script.page(tmp_path)
    assert "**coatnet_0_rw, inference, batch 8, 224 x 192 pixels**" in text
    assert "| timm | 125.0 | 40.0 | 50% | 80.0 | 800 | 0.80 (0.75-0.85) |" in text
    assert "A processor, 2 threads a process, 7 rounds, load before 0.2; keras 3.0." in text
    assert "| timm, coatnet_0_rw, inference, batch 8 | 1.25 (1.25-1.25) | 117,000 | 5 | 800 | 900 |" in text
    assert "| ours jax, fused, coatnet_0_rw, inference, batch 8 | fused / not | 1.25 (1.25-1.25) |" in text


def test_profile_scaling_and_tries_have_their_sections(script, tmp_path):
    times = dict.fromkeys(("inference", "training_forward", "backward", "forward_floor", "backward_floor"), 2.0)
    part = {"name": "stage3_block2", "count": 6, "gflop": 1.0, **times, "inference_gap": 1.0, "backward_gap": 0.0}
    limits = {"flops": 2e11, "bytes_a_second": 2e10}
    profile = {"machine": MACHINE, "variant": "coatnet_0_rw", "batch_size": 8, "limits": limits, "rounds": 5}
    sized = {"milliseconds": 5.0, "macs": 4e9, "map_bytes": 2e6, "largest_map_bytes": 1e6, "peak_bytes": None}
    scaling = {"machine": MACHINE, "variant": "coatnet_0_rw", "backend": "jax", "batch_size": 1}
    scaling |= {"sizes": {"rows": [{"side": 128, **sized}], "exponents": {"milliseconds": 2.125}}}
    scaling |= {"depths": {"rows": [{"blocks": 12, **sized}], "exponents": {"macs": 1.0}}}
    tried = [{"change": "row bands", "where": "JAX", "ratio": 0.9, "verdict": "no"}]
    write(tmp_path, profile={**profile, "backends": {"jax": [part]}}, scaling=scaling, tried=tried)
    write(tmp_path, large={"large": [{"name": "coatnet_5", "done": "answers", "peak_bytes": 2**30, "fits": True}]})
    text = script.page(tmp_path)
    assert "| stage3_block2 and 5 like it | 1.0 | 2.0 | 2.0 | 1.0 | 2.0 | 2.0 | 2.0 | 0.0 |" in text
    assert "200 GFLOP/s" in text
    assert "| 128 | 5.0 | 4.00 | 2 | 1 | - |" in text
    assert "Exponents over side: time 2.12." in text
    assert "| row bands | JAX | 0.9 | no |" in text
    assert "- `coatnet_5` answers in bfloat16 with 1.0 GiB at most: within 24 GiB." in text


def test_variables_on_the_page_are_the_ones_that_are_measured(script):
    text = script.page(script.FOLDER)
    assert dict(re.findall(r"(MALLOC_[A-Z_]+)=(\d+)", text)) == allocator.VARIABLES
    assert f"{allocator.SWITCH}=0" in text


def test_memory_and_start_up_are_held_against_what_they_were_to_be(script, tmp_path):
    over = {"timm+m": [1.0, 1.0, 1.0]}
    rows = [peer_row("timm+m", 100.0, 5.0, 400e6, over), peer_row("ours jax", 50.0, 5.0, 500e6, over)]
    rows.append(peer_row("ours torch", 50.0, 5.0, 300e6, over))
    record = {"machine": MACHINE, "settings": {"threads": 2, "rounds": 3}, "load_before": 0.25, "rows": rows}
    memory = {"variant": "coatnet_0_rw", "over": "timm+m", "inference": 1.0, "training": 1.3}
    targets = {"speed": [], "memory": memory, "startup": {"coatnet_0, jax": 8}}
    seconds = {"coatnet_0, jax": [[1.0, 1.0, 3.0, 0.1, 9.0]] * 2, "timm x": [[2.0, 0.25, 0.75, 0.1, 9.0]] * 2}
    write(tmp_path, peers=record, targets=targets, startup={"load_before": 0.5, "seconds": seconds})
    text = script.page(tmp_path)
    assert "| ours jax, coatnet_0_rw, inference, batch 8 | 1.00 | 1.25 | no |" in text
    assert "| ours torch, coatnet_0_rw, inference, batch 8 | 1.00 | 0.75 | yes |" in text
    assert "| coatnet_0, jax | 1.00 | 1.00 | 3.00 | 4.00 | 8 |" in text
