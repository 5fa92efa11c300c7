"""The generated tables of README.md and docs/models.md are fresh and say what is known, no more."""

import importlib.util
from pathlib import Path

import pytest

import keras_coatnet as kc
from keras_coatnet.coatnet.published import FIGURES, KECAM, PAPER

pytestmark = pytest.mark.backend_free

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("variant_table", ROOT / "scripts" / "variant_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(script, name, page="docs/models.md"):
    """The cells of a variant's line."""
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
        if line.startswith(f"| `{name}` |"):
            return dict(zip(script.COLUMNS, line.strip("| ").split(" | "), strict=True))
    return None


def test_pages_are_what_the_script_writes(script):
    for path, text in script.pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale: run scripts/variant_table.py"


def test_every_variant_has_its_line(script):
    assert [name for name in kc.list_variants() if row(script, name) is None] == []


def test_readme_shows_the_variants_with_trained_weights(script):
    short = {name for name in kc.list_variants() if row(script, name, "README.md")}
    assert short == {weights.variant for weights in kc.list_pretrained()}
    assert {"coatnet_0", "coatnet_0_rw", "coat_small"} < short


def test_numbers_are_the_counters(script):
    cells = row(script, "coatnet_0_rw")
    count = kc.count("coatnet_0_rw")
    assert (cells["parameters"], cells["10^9 MACs"]) == (f"{count.parameters:,}", f"{count.macs / 1e9:.2f}")


def test_own_size_comes_before_a_higher_figure_at_another(script):
    assert row(script, "coatnet_0_paper")["top-1"] == "81.6"
    assert row(script, "coatnet_rmlp_2_rw")["top-1"] == "86.538"
    assert row(script, "coatnet_5_paper")["trained on, at, reported by"] == "JFT-300M + 1k, 512, paper"


def test_unknown_is_a_dash(script):
    cells = row(script, "coatnet_7")
    assert (cells["top-1"], cells["trained on, at, reported by"], cells["weights"]) == (script.UNKNOWN,) * 3


def test_weights_are_linked_to_the_page_that_has_them(script):
    assert row(script, "coatnet_0_rw")["weights"] == (
        "[`sw_in1k`](https://huggingface.co/timm/coatnet_0_rw_224.sw_in1k)"
    )
    assert "at 160" in row(script, "coatnet_0")["weights"]


def test_every_figure_names_a_variant_its_data_and_who_reports_it():
    names = set(kc.list_variants())
    for figure in FIGURES:
        assert figure.variant in names
        assert 50 < figure.top1 < 100
        assert figure.source in (PAPER, KECAM)
        assert figure.trained_on


@pytest.mark.parametrize("marker", ["variants", "figures"])
def test_page_without_markers_is_refused(script, marker):
    with pytest.raises(SystemExit, match=f"<!-- {marker}:begin --> and <!-- {marker}:end --> are missing"):
        script.between_markers("no such marks", marker, "")
