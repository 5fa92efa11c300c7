"""scripts/refresh_manifest against a server on loopback."""

import dataclasses
import importlib.util
import json
from pathlib import Path

import pytest
from fetching import make_row, sha256, weight_file
from running import randomize
from server import file

import keras_coatnet as kc
from keras_coatnet.weights.manifest import shipped_manifest

pytestmark = pytest.mark.backend_free

SCRIPT = Path(__file__).parents[2] / "scripts" / "refresh_manifest.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("refresh_manifest", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Two files of the same weights and one of others, as bytes."""
    folder, found = tmp_path_factory.mktemp("weights"), []
    for seed, names in ((0, ("a.safetensors", "b.safetensors")), (1, ("c.safetensors",))):
        model = kc.build("test_coatnet", input_shape=(64, 64, 3), num_classes=5)
        randomize(model, seed)
        for name in names:
            kc.save_checkpoint(model, folder / name, "timm")
            found.append((folder / name).read_bytes())
    return found


@pytest.fixture
def manifest(tmp_path, home, server):
    """A function that writes a manifest with one row for some files and gives its path."""

    def write(*contents):
        files = []
        for number, content in enumerate(contents):
            if content is not None:
                server.routes[f"/{number}"] = file(content)
            files.append(weight_file(server.url(f"/{number}"), name=f"{number}.safetensors", format="safetensors"))
        row = dataclasses.replace(
            make_row(*files), variant="test_coatnet", input_size=64, num_classes=5, source="timm", default=True
        )
        path = tmp_path / "manifest.json"
        path.write_text(json.dumps([dataclasses.asdict(row)]))
        return path

    return write


def refresh(script, path, tmp_path, monkeypatch):
    """(exit code, the file entries as written) of a run."""
    monkeypatch.setenv("COLUMNS", "300")
    code = script.main(["--manifest", str(path), "--home", str(tmp_path / "refreshed")])
    return code, json.loads(path.read_text())[0]["files"]


def test_sizes_and_hashes_are_filled_in(script, manifest, weights, tmp_path, monkeypatch, capsys):
    code, files = refresh(script, manifest(weights[0], weights[1]), tmp_path, monkeypatch)
    out = capsys.readouterr().out
    assert code == 0, out
    assert [(entry["size"], entry["sha256"]) for entry in files] == [
        (len(content), sha256(content)) for content in weights[:2]
    ]
    assert sha256(weights[0])[:12] in out
    assert "test_coatnet.made at 64" in out


def test_other_weights_under_one_row_are_told(script, manifest, weights, tmp_path, monkeypatch, capsys):
    code, files = refresh(script, manifest(weights[0], weights[2]), tmp_path, monkeypatch)
    assert code == 1
    assert "FAILED: its logits differ from those of 0.safetensors" in capsys.readouterr().out
    assert files[0]["sha256"] == sha256(weights[0])
    assert files[1]["sha256"] is None


def test_an_address_that_fails_is_told_and_its_row_left(script, manifest, weights, tmp_path, monkeypatch, capsys):
    code, files = refresh(script, manifest(None, weights[1]), tmp_path, monkeypatch)
    assert code == 1
    assert "404 Not Found" in capsys.readouterr().out
    assert (files[0]["sha256"], files[1]["sha256"]) == (None, sha256(weights[1]))


def test_a_file_that_does_not_fit_its_variant_is_told(script, manifest, tmp_path, monkeypatch, capsys):
    from fetching import tensors

    code, files = refresh(script, manifest(tensors()), tmp_path, monkeypatch)
    assert code == 1
    assert "does not fit" in capsys.readouterr().out
    assert files[0]["size"] is None


def test_the_shipped_manifest_is_laid_out_as_the_script_writes_it(script, tmp_path):
    path = tmp_path / "again.json"
    script.write_manifest(path, json.loads(shipped_manifest().read_text()))
    assert path.read_text() == shipped_manifest().read_text()
