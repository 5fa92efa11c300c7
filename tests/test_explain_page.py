"""docs/explain.md: its examples run as they stand, one after the other, and say the shapes that they say."""

import re
from pathlib import Path

import pytest
from explained_models import noise
from narrow_twins import narrow_twin
from PIL import Image
from running import BACKEND, randomize

import keras_coatnet as kc
from keras_coatnet import explain

PAGE = (Path(__file__).parents[1] / "docs" / "explain.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "torch", reason="tests/explain compares the backends; one is enough for the page")
def test_examples_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("cat.jpg", "dog.jpg")):
        Image.fromarray(noise(seed=seed)).save(name)

    def build(*, pretrained):
        """A narrow model, instead of a download."""
        assert pretrained == "imagenet"
        model = kc.CoAtNet(narrow_twin("coatnet_0"))
        randomize(model)
        return model

    monkeypatch.setattr(kc, "CoAtNet0", build)
    names = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(code, names)
    out = capsys.readouterr().out
    assert names["heat"].shape == (2, 14, 14)
    assert re.search(r"^cat\.jpg .+ 0\.\d+ \(1, 7, 7\)$", out, re.MULTILINE)
    assert "stage4_block1/attention (7, 7) (1, " in out
    assert "stage4 (1, 7, 7, " in out
    for file in ("why", "attention", "rollout", "positions", "stages"):
        with Image.open(f"{file}.png") as drawn:
            assert drawn.width > 300


@pytest.mark.backend_free
def test_every_public_name_is_on_the_page():
    public = {name for name, value in vars(explain).items() if name[0] != "_" and callable(value)}
    assert {name for name in public if f"explain.{name}" not in PAGE and f"`{name}" not in PAGE} == set()
