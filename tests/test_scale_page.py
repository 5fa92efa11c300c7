"""The Ray example of docs/scale.md calls Ray and the Predictor as they are; Ray itself is played."""

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from colour_models import LABELS, colour_model
from PIL import Image

from keras_coatnet.prediction import predictor as predictor_module

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
