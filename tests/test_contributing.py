"""CONTRIBUTING.md shows code as it is and names files that are there."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.backend_free

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_layer_is_shown_as_it_stands():
    path, quoted = re.search(
        r"^`(keras_coatnet/layers/\w+\.py)` in full\..*?^```python\n(.*?)^```$", PAGE, re.M | re.S
    ).groups()
    assert quoted == (ROOT / path).read_text(encoding="utf-8"), f"copy {path} into CONTRIBUTING.md again"


def test_files_that_are_named_exist():
    named = set(re.findall(r"`((?:keras_coatnet|tests|scripts|docs|examples)/[\w/]*(?:\.\w+)?)`", PAGE))
    assert {"keras_coatnet/registry.py", "scripts/variant_table.py", "tests/goldens"} & named
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_files_of_a_family_are_those_of_the_two():
    section = PAGE.split("## How to add a family")[1].split("\n## ")[0]
    told = set(re.findall(r"`(\w+\.py)`", section))
    for family in ("coat", "coatnet"):
        assert told <= {path.name for path in (ROOT / "keras_coatnet" / family).glob("*.py")}
    assert {path.name for path in (ROOT / "keras_coatnet" / "coat").glob("*.py")} - told == {"__init__.py"}
