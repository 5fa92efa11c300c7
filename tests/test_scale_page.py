"""The examples of docs/scale.md run as they stand, on the devices there are; Ray itself is played."""

import re
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest
from colour_models import LABELS, colour_model
from photo_folders import make_photos
from PIL import Image
from small_runs import make_tiny_model

import keras_coatnet as kc
from keras_coatnet.prediction import predictor as predictor_module
from keras_coatnet.training.run.checkpoints import read_about

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"


class Table:
    """Rows of files as `ray.data.read_binary_files` has them, mapped as an actor pool does: one object a worker."""

    def __init__(self, files):
        self.columns = {
            "bytes": np.array([file.read_bytes() for file in files], object),
            "path": np.array([str(file) for file in files]),
        }

    def map_batches(self, function, *, fn_constructor_args, fn_constructor_kwargs, batch_size, compute, num_cpus):
        worker = function(*fn_constructor_args, **fn_constructor_kwargs)
        assert len(self.columns["path"]) <= batch_size
        self.columns = worker(self.columns)
        return self

    def write_parquet(self, folder):
        self.written = folder


@pytest.mark.backend_free
def test_ray_example_runs_as_it_stands(tmp_path, monkeypatch):
    for name, colour in (("red", "red"), ("blue", "blue")):
        Image.new("RGB", (9, 5), colour).save(tmp_path / f"{name}.png")
    ray = types.ModuleType("ray")
    ray.data = types.SimpleNamespace(
        read_binary_files=lambda folder, include_paths: Table(sorted(tmp_path.glob("*.png"))),
        ActorPoolStrategy=lambda size: size,
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    asked = []
    monkeypatch.setattr(predictor_module, "load", lambda *given: asked.append(given) or (colour_model(), LABELS))
    names = {}
    exec(re.search(r"```python\n(import ray.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1], names)
    assert asked == [("coatnet_0", "imagenet")]
    columns = names["answers"].columns
    assert [labels[0] for labels in columns["predicted_label"]] == ["blue", "red"]
    assert {f"`{name}`" for name in columns} <= set(re.findall(r"`\w+`", PAGE.read_text(encoding="utf-8")))


@pytest.mark.backend_free
def test_pool_of_fresh_processes_answers_in_order():
    names = {}
    exec(blocks("from concurrent"), names)
    # Any callable that pickles stands in for a `Predictor`, which the tests of prediction pickle.
    assert list(names["classify"]([[1, 2, 3], [4]], len, workers=1)) == [3, 1]


@pytest.mark.backend_free
def test_page_has_no_other_block():
    assert PAGE.read_text(encoding="utf-8").count("```python") == 4


def blocks(opening):
    """The code of the block that begins with these imports."""
    return re.search(rf"```python\n({opening}.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch trains on one device")
def test_training_example_runs_on_the_devices_there_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_photos(tmp_path / "imagenet", cat=12, dog=12)
    monkeypatch.setattr(kc, "build", lambda name, **keywords: make_tiny_model(32, 32))
    code = blocks("import keras_coatnet as kc\n")
    changes = {
        '.for_model("coatnet_4_paper")': ".replace(epochs=1, batch_size=4, image_size=32, warmup_steps=0)",
        "(224, 224)": "(32, 32)",
    }
    for old, new in changes.items():
        assert old in code
        code = code.replace(old, new)
    names = {}
    exec(code, names)
    assert read_about(tmp_path / "run" / "resume")["state"]["position"] == [0, names["feed"].steps]
    names["feed"].close()
    names["held_out"].close()


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="keras.distribution is JAX's")
def test_example_of_a_mesh_cuts_a_model():
    code = blocks("import keras\n")
    assert "DeviceMesh((4, 2)" in code
    before = keras.distribution.distribution()
    try:
        exec(code.replace("(4, 2)", "(1, 1)"), {})
        model = kc.CoAtNet(kc.coatnet_spec((1,), (8,), 4, layout="C"), input_shape=(32, 48, 3), num_classes=2)
        layouts = {variable.path: variable._layout.axes for variable in model.variables}
    finally:
        keras.distribution.set_distribution(before)
    assert layouts["stage1_block1/expansion/kernel"] == (None, "model")
    assert "model" not in layouts["stage1_block1/shortcut/kernel"]
