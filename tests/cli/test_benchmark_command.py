"""`keras-coatnet benchmark`: rows for every subject and batch, on tiny sizes; nothing is said about how fast."""

import json
import os

import keras
import pytest
from narrow_twins import narrow_twin

import keras_coatnet as kc
from keras_coatnet.benchmark.workers import WorkerFailed
from keras_coatnet.cli import benchmark
from keras_coatnet.cli.main import main

QUICK = ["--rounds", "2", "--seconds", "0.001", "--threads", "1"]
LIMITS = {"dtype": "float32", "device": "cpu", "flops": 1e9, "flops_each_round": [1e9], "bytes_a_second": 1e9}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "mine.keras"
    kc.CoAtNet(narrow_twin("coatnet_0"), input_shape=(32, 64, 3), num_classes=5).save(path)
    return str(path)


def made_up(jobs, *, mode, batch_size, **_):
    """Rows as of `compare`, without processes."""
    rows = [
        {
            "name": job.name,
            "runtime": job.environment["KERAS_BACKEND"],
            "mode": mode,
            "image_size": job.keywords.get("image_size") or (224, 224),
            "batch_size": batch_size,
            "milliseconds": 10.0,
            "images_a_second": 100.0 * batch_size,
            "speed_over_first": 1.5,
            "speed_range": (1.25, 2.0),
            "seconds": (0.01,),
            "flops": 5e8,
            "utilisation": 0.5,
            "peak_bytes": 5e6,
            "device_peak_bytes": None,
            "import_seconds": 1.0,
            "build_seconds": 2.0,
            "first_call_seconds": 0.5,
            "compile_seconds": 0.4,
            "page_faults": 3.0,
        }
        for job in jobs
    ]
    return rows, LIMITS


def test_saved_model_is_timed_in_a_process(file, capsys):
    assert main(["benchmark", file, "--batch-size", "2", *QUICK, "--json"]) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (row["name"], row["runtime"], row["image_size"]) == (file, keras.backend.backend(), [32, 64])
    assert row["speed_over_first"] == 1.0
    assert len(row["seconds"]) == 2
    assert 0 < row["utilisation"] < 10
    assert min(row[key] for key in ("peak_bytes", "import_seconds", "build_seconds", "first_call_seconds")) > 0


@pytest.mark.backend_free
def test_sweep_is_a_table_a_group_a_record_and_a_chart(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(benchmark, "compare", made_up)
    sweep = ["--mode", "inference", "training", "--batch-size", "1", "2", "--image-size", "32x64", "96"]
    files = ["--out", str(tmp_path / "all.json"), "--chart", str(tmp_path / "speed.svg")]
    assert main(["benchmark", "coatnet_0", "--backends", "jax", "torch", "--fused", *sweep, *files]) == 0
    text = capsys.readouterr().out
    assert "training, batch 2, 32 x 64 pixels" in text
    assert "1.25-2.00" in text
    record = json.loads((tmp_path / "all.json").read_text())
    assert len(record["limits"]) == 8
    # Fused models answer, and are not trained.
    assert len(record["rows"]) == 4 * (4 + 2)
    assert {row["runtime"] for row in record["rows"]} == {"jax", "torch"}
    assert record["machine"]["versions"]["keras"] == keras.__version__
    assert "training, batch 2" in (tmp_path / "speed.svg").read_text() or (tmp_path / "speed.svg").stat().st_size > 5000


@pytest.mark.backend_free
def test_dtypes_are_beside_each_other(capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(benchmark, "compare", lambda jobs, **options: asked.extend(jobs) or made_up(jobs, **options))
    assert main(["benchmark", "coatnet_0", "--dtype", "float32", "bfloat16", "--batch-size", "1", "--json"]) == 0
    names = [json.loads(line)["name"] for line in capsys.readouterr().out.splitlines()]
    assert names == ["coatnet_0 float32", "coatnet_0 bfloat16"]
    assert [job.keywords["dtype"] for job in asked] == ["float32", "bfloat16"]


@pytest.mark.backend_free
def test_process_that_fails_is_one_line(capsys, monkeypatch):
    def failing(*_, **__):
        raise WorkerFailed("a: answers NaN or infinity.", "NotFinite", "Traceback")

    monkeypatch.setattr(benchmark, "compare", failing)
    assert main(["benchmark", "coatnet_0"]) == 2
    assert capsys.readouterr().err == "keras-coatnet benchmark: error: a: answers NaN or infinity.\n"


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["coatnet_0", "coatnet_0_rv"], "Unknown variant 'coatnet_0_rv'. Nearest: coatnet_0_rw"),
        (["nowhere.onnx"], "nowhere.onnx: no such file"),
        (["nowhere.keras"], "nowhere.keras: no such file"),
        (["coatnet_0", "--chart", "speed.txt"], "--chart writes .png, .svg, .pdf; got 'speed.txt'"),
    ],
)
def test_wrong_argument_is_refused_before_anything_is_started(arguments, message, capsys):
    assert main(["benchmark", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.backend_free
@pytest.mark.parametrize("cores", ["first", str(os.cpu_count() + 7)])
def test_cores_that_are_not_there_are_refused(cores, capsys):
    with pytest.raises(SystemExit):
        main(["benchmark", "--cores", cores])
    assert f"got {cores!r}" in capsys.readouterr().err
