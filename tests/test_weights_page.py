"""docs/weights.md says what the code does."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

import keras_coatnet as kc
from keras_coatnet.weights import cache, manifest
from keras_coatnet.weights.download import fetch
from keras_coatnet.weights.manifest_check import find_problems

pytestmark = pytest.mark.backend_free

PAGE = (Path(__file__).parents[1] / "docs" / "weights.md").read_text(encoding="utf-8")


CoAtNet = kc.CoAtNet


def small(name, **keywords):
    return CoAtNet(kc.narrow(name, (1, 1, 1, 1), (8, 32, 32, 32), 4), **keywords)


@pytest.fixture
def _released(tmp_path, monkeypatch):
    """The rows of the examples with files of this machine, of small twins without training."""
    monkeypatch.chdir(tmp_path)
    rows = []
    for row in json.loads(manifest.shipped_manifest().read_text(encoding="utf-8")):
        size, file = row["input_size"], row["files"][0]
        if row["variant"] == "coatnet_0" or (row["source"] == "timm" and "_rw" in row["variant"] and size == 384):
            kc.save_checkpoint(small(row["variant"], input_shape=(size, size, 3)), file["file"], row["source"])
            rows.append({**row, "files": [{key: file[key] for key in ("file", "format", "url")}]})
    Path("rows.json").write_text(json.dumps(rows))
    monkeypatch.setenv("KERAS_COATNET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERAS_COATNET_MANIFEST", "rows.json")
    monkeypatch.setenv("KERAS_COATNET_MIRROR", str(tmp_path))
    monkeypatch.setattr(kc, "CoAtNet", small)
    monkeypatch.setattr(kc, "CoAtNet0", lambda **keywords: small("coatnet_0", **keywords))


@pytest.mark.usefixtures("_released")
def test_the_examples_in_python_run_as_they_stand(capsys):
    Image.new("RGB", (40, 30), "red").save("cat.jpg")
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = {}
    exec(code, names)
    *guesses, listed = capsys.readouterr().out.splitlines()
    assert [re.fullmatch(r".+: \d+%", guess) is not None for guess in guesses] == [True] * 3
    assert listed == "['coatnet_2_rw.sw_in12k', 'coatnet_2_rw.sw_in12k_ft_in1k']"
    shapes = {name: names[name].output_shape for name in ("small", "best", "wide", "pets", "features", "again")}
    assert shapes == {
        "small": (None, 1000),
        "best": (None, 1000),
        "wide": (None, 1000),
        "pets": (None, 37),
        "features": (None, 32),
        "again": (None, 37),
    }
    assert names["small"].origin["input_size"] == 160


def test_the_example_of_a_manifest_is_valid():
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert list(find_problems(json.loads(example))) == []


def test_every_environment_variable_is_described():
    ours = {
        cache.HOME_VARIABLE,
        fetch.OFFLINE_VARIABLE,
        fetch.MIRROR_VARIABLE,
        manifest.MANIFEST_VARIABLE,
    }
    assert set(re.findall(r"^\| `(KERAS_COATNET_\w+)`", PAGE, re.MULTILINE)) == ours
