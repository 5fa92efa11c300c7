"""docs/weights.md says what the code does."""

import json
import re
from pathlib import Path

import pytest

from keras_coatnet.weights import cache, download, manifest
from keras_coatnet.weights.manifest_check import find_problems

pytestmark = pytest.mark.backend_free

PAGE = (Path(__file__).parents[1] / "docs" / "weights.md").read_text(encoding="utf-8")


def test_the_example_of_a_manifest_is_valid():
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert list(find_problems(json.loads(example))) == []


def test_every_environment_variable_is_described():
    ours = {
        cache.HOME_VARIABLE,
        download.OFFLINE_VARIABLE,
        download.MIRROR_VARIABLE,
        manifest.MANIFEST_VARIABLE,
    }
    assert set(re.findall(r"^\| `(KERAS_COATNET_\w+)`", PAGE, re.MULTILINE)) == ours
