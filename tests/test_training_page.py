"""The example of docs/training.md trains as it stands, and the page knows all recipes."""

import re
from pathlib import Path

import pytest
from photo_folders import make_photos

import keras_coatnet as kc
from keras_coatnet.training.recipes import list_recipes

PAGE = (Path(__file__).parents[1] / "docs" / "training.md").read_text(encoding="utf-8")


def test_example_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_photos(tmp_path / "pets", broken=(3,), cat=24, dog=24)

    def build(name, *, pretrained, **keywords):
        """A model that trains in seconds, instead of a download."""
        assert (name, pretrained) == ("coatnet_0", "imagenet")
        return kc.CoAtNet(kc.coatnet_spec((1,), (8,), 4, layout="C"), **keywords)

    monkeypatch.setattr(kc, "build", build)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    small = {"epochs=10, image_size=160": "epochs=2, image_size=32, batch_size=8, warmup_epochs=0.5", "160": "32"}
    for old, new in small.items():
        assert old in code
        code = code.replace(old, new)
    names = {}
    exec(code, names)
    assert capsys.readouterr().out.splitlines()[-1] == f"{len(names['train'].skipped)} pictures could not be read"
    assert set(names["model"].history.history) == {
        *("loss", "accuracy", "top5"),
        *("val_loss", "val_accuracy", "val_top5"),
    }
    names["train"].close()
    names["held_out"].close()


@pytest.mark.backend_free
def test_page_names_all_recipes():
    table = PAGE.split("## Recipes")[1].split("## Data")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in rows))) == sorted(list_recipes())
