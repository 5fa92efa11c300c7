"""Every python block of every page runs as it stands; what is printed is what the page says where it says something.

Pages that need more than this (folders of pictures, served weights, runtimes) have a test file of their own.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from explained_models import noise
from narrow_twins import narrow_twin
from PIL import Image
from running import BACKEND, randomize

import keras_coatnet as kc

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
HERE = ("backends.md", "choose.md", "convert.md", "index.md", "layers.md", "questions.md", "performance.md")
ELSEWHERE = {
    "deploy.md": "test_deploy_page",
    "explain.md": "test_explain_page",
    "scale.md": "test_scale_page",
    "training.md": "test_training_page",
    "weights.md": "test_weights_page",
}
# The package without its own __init__, which loads Keras: its light modules are found all the same.
LIGHT = """
import sys, types
package = types.ModuleType("keras_coatnet")
package.__path__ = [sys.argv[1]]
sys.modules[package.__name__] = package
"""


def blocks(page):
    """[(code, what it prints or "")] of a page of docs/."""
    return BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))


@pytest.fixture
def _pictures(tmp_path, monkeypatch):
    """A folder with a photograph, and a narrow model in place of a download."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(noise()).save("cat.jpg")

    def build(*, pretrained):
        assert pretrained == "imagenet"
        model = kc.CoAtNet(narrow_twin("coatnet_0"), input_shape=(64, 96, 3))
        randomize(model)
        return model

    monkeypatch.setattr(kc, "CoAtNet0", build)


@pytest.mark.backend_free
@pytest.mark.parametrize("page", ["choose.md", "questions.md"])
@pytest.mark.usefixtures("_pictures")
def test_blocks_run(page, capsys):
    check(page, capsys)


@pytest.mark.parametrize("page", ["backends.md", "convert.md", "layers.md"])
@pytest.mark.usefixtures("_pictures")
def test_blocks_about_backends_run_on_each(page, capsys):
    check(page, capsys)


def check(page, capsys):
    names = {}
    for code, printed in blocks(page):
        exec(code, names)
        out = capsys.readouterr().out
        if printed:
            assert out == printed


@pytest.mark.skipif(BACKEND != "torch", reason="the README's blocks, which are nearly these, run on every backend")
@pytest.mark.usefixtures("_pictures")
def test_quick_start_runs_and_names_three_classes(capsys):
    (guessing, none), (building, printed) = blocks("index.md")
    names = {}
    exec(guessing, names)
    guesses = capsys.readouterr().out.splitlines()
    assert [re.fullmatch(r".+: \d+%", guess) is not None for guess in guesses] == [True] * 3
    exec(building, names)
    assert (none, capsys.readouterr().out) == ("", printed)


@pytest.mark.backend_free
def test_memory_is_kept_as_the_page_says():
    ((code, _),) = blocks("performance.md")
    done = subprocess.run([sys.executable, "-c", LIGHT + code, ROOT / "keras_coatnet"], check=False)
    assert done.returncode == 0


@pytest.mark.backend_free
def test_every_page_with_python_is_run():
    with_python = {page.name for page in (ROOT / "docs").rglob("*.md") if "```python" in page.read_text("utf-8")}
    assert with_python == {*HERE, *ELSEWHERE}
    assert all((ROOT / "tests" / f"{test}.py").exists() for test in ELSEWHERE.values())
