"""Pictures of models: what is drawn is published and measured, and names do not cover each other."""

import importlib.util
import json
from pathlib import Path

import pytest

import keras_coatnet as kc

pytestmark = pytest.mark.backend_free

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("plot_models", ROOT / "scripts" / "plot_models.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "MEASURED", tmp_path)
    monkeypatch.setattr(module, "PICTURES", tmp_path)
    return module


def row(name, speed, **changes):
    return {
        "name": name,
        "mode": "inference",
        "batch_size": 8,
        "image_size": [224, 224],
        "images_a_second": speed,
    } | changes


def write(folder, name, rows, processor="A processor"):
    (folder / f"{name}.json").write_text(json.dumps({"machine": {"processor": processor}, "rows": rows}))


def test_parameters_are_the_counters_and_accuracies_those_of_the_file_for_its_size(script):
    points = {point.name: point for point in script.points_by_parameters()}
    assert points["coatnet_0"].x == kc.count("coatnet_0").parameters / 1e6
    assert (points["coatnet_0"].top1, points["coatnet_0 at 160"].top1) == (82.79, 80.48)
    assert points["coatnet_rmlp_2_rw at 384"].trained_on == "ImageNet-12k, tuned on ImageNet-1k"
    assert "coatnet_3_rw" not in points


def test_nothing_measured_is_said(script):
    assert set(script.pictures()) == {script.PARAMETERS}
    text = script.page(script.PAGE.read_text(encoding="utf-8"))
    assert "No speeds of several released models were recorded" in text


def test_speeds_are_ours_of_the_machine_with_most_models(script, tmp_path):
    ours = [row("coatnet_0", 40.0, runtime="jax"), row("coat_lite_tiny", 90.0, runtime="jax")]
    ours += [row("ours torch", 30.0, variant="coatnet_0_rw")]
    others = [
        row("timm+m", 20.0, variant="coatnet_0_rw"),
        row("ours torch, fused", 33.0, variant="coatnet_0_rw"),
        row("coatnet_0", 9.0, runtime="torch", batch_size=1),
        row("coatnet_0", 9.0, runtime="torch", mode="fit"),
        row("coatnet_0", 9.0, runtime="torch", image_size=[224, 192]),
        row("model.onnx", 9.0, runtime="onnxruntime"),
    ]
    write(tmp_path, "models", [*ours, *others])
    write(tmp_path, "other", [row("coatnet_0", 7.0, runtime="jax")], processor="Another")
    (tmp_path / "tried.json").write_text("[]")
    points, axis, title = script.pictures()[script.SPEED]
    assert {(point.name, point.backend, point.x, point.top1) for point in points} == {
        ("coatnet_0", "jax", 40.0, 82.79),
        ("coat_lite_tiny", "jax", 90.0, 77.548),
        ("coatnet_0_rw", "torch", 30.0, 82.396),
    }
    assert (axis, title.endswith("speed on A processor")) == ("images a second, batches of 8", True)


def test_what_is_stale_is_named(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "PAGE", tmp_path / "choose.md")
    marks = "<!-- parameters:begin -->\n<!-- parameters:end -->\n<!-- speed:begin -->\n<!-- speed:end -->\n"
    script.PAGE.write_text(marks)
    assert script.stale() == ["choose.md", script.PARAMETERS]
    script.PAGE.write_text(script.page(marks))
    picture = tmp_path / script.PARAMETERS
    script.draw(picture, *script.pictures()[script.PARAMETERS])
    assert script.stale() == []
    assert picture.stat().st_size < 150_000
    assert "coatnet_rmlp_2_rw at 384" in picture.read_text(encoding="utf-8")
    (tmp_path / script.SPEED).write_text("of another day")
    assert script.stale() == [script.SPEED]


def test_overlap_is_the_common_area(script):
    assert script.overlap((0, 0, 4, 2), (3, 1, 9, 9)) == 1
    assert script.overlap((0, 0, 1, 1), (1, 0, 2, 1)) == 0
