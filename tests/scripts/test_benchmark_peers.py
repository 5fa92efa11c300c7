"""scripts/benchmark_peers.py without the peers: which jobs there are, what has to agree, what a row says."""

import importlib.util
import sys
import types
from pathlib import Path

import pytest

import keras_coatnet as kc
from keras_coatnet.allocator import SWITCH, VARIABLES
from keras_coatnet.benchmark.workers import WorkerFailed

pytestmark = pytest.mark.backend_free

SCRIPTS = Path(__file__).parents[2] / "scripts"
FILES = {"weights": "w", "images": "i", "onnx": "o", "legacy": "l"}


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(SCRIPTS))
    try:
        spec = importlib.util.spec_from_file_location("benchmark_peers", SCRIPTS / "benchmark_peers.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(SCRIPTS))


@pytest.fixture
def options(tmp_path):
    return types.SimpleNamespace(
        subjects=["*"],
        timm_python="timm-python",
        kecam_python="kecam-python",
        dtype="float32",
        threads=2,
        cores=(0,),
        folder=tmp_path,
        mode=["inference"],
    )


def jobs(script, options, variant, mode="inference"):
    return {job.name: job for job in script.list_jobs(variant, (64, 64), mode, 2, FILES, options)}


def test_timm_is_beside_ours_in_every_form(script, options):
    found = jobs(script, options, "coatnet_0_rw")
    assert list(found)[:2] == ["timm+m", "timm"]
    assert {"onnxruntime", "openvino", "timm compiled+m", "ours jax", "ours torch, fused", "ours torch, plain"} <= set(
        found
    )
    assert found["timm+m"].environment.items() >= VARIABLES.items()
    # Whatever this process has, the plain ones have none of it.
    assert all(found["timm"].environment[name] is None for name in VARIABLES)
    assert found["ours jax, plain"].environment[SWITCH] == "0"
    assert found["timm"].python == "timm-python"
    assert found["ours tensorflow"].environment["KERAS_BACKEND"] == "tensorflow"
    assert {job.cores for job in found.values()} == {(0,)}
    assert {job.environment["OMP_NUM_THREADS"] for job in found.values()} == {"2"}


def test_training_has_no_files_and_no_fused_models(script, options):
    found = jobs(script, options, "coat_lite_tiny", "training")
    assert "onnxruntime" not in found
    assert not [name for name in found if "fused" in name]
    assert found["ours jax, keras"].keywords["mode"] == "fit"


def test_default_family_is_beside_keras_cv_attention_models(script, options):
    options.subjects = ["kecam*", "ours torch"]
    found = jobs(script, options, "coatnet_0")
    assert list(found) == ["kecam+m", "kecam", "ours torch"]
    assert found["kecam"].python == "kecam-python"


def test_weights_are_in_the_peers_format_and_loaded_by_ours(script, options, monkeypatch):
    monkeypatch.setattr(sys.modules["peers.subjects"], "peer_of", lambda variant: "timm")
    options.subjects = ["ours torch"]
    files = script.prepare("test_coatnet", (32, 32), options)
    model = kc.build("test_coatnet", input_shape=(32, 32, 3), classifier_activation=None)
    assert kc.load_checkpoint(model, files["weights"]).source == "timm"
    assert Path(files["images"]).is_file()
    assert not Path(files["onnx"]).exists()


def worker(name, outputs, mode="inference"):
    job = types.SimpleNamespace(name=name, keywords={"mode": mode})
    return types.SimpleNamespace(job=job, started={"outputs": outputs})


def test_other_logits_are_refused_with_the_name(script):
    first = worker("timm+m", [[1.0, -1.0, 3.0]])
    found = script.agree([first, worker("ours", [[1.0001, -1.0, 3.0]])], tolerance=1e-3)
    assert found == {"ours": pytest.approx(1e-4 / 1.633, rel=1e-3)}
    # The loss of an epoch is no first loss.
    script.agree([first, worker("ours, keras", [[9.0, 9.0, 9.0]], mode="fit")], tolerance=1e-3)
    with pytest.raises(WorkerFailed, match=r"ours answers other than timm\+m: by 6\.1e-02 of the spread"):
        script.agree([first, worker("ours", [[1.1, -1.0, 3.0]])], tolerance=1e-3)
    with pytest.raises(WorkerFailed, match="by nan"):
        script.agree([first, worker("ours", [[float("nan"), -1.0, 3.0]])], tolerance=1e-3)


def test_groups_hold_all_others_once_beside_the_bases(script):
    named = [types.SimpleNamespace(name=name) for name in ("timm+m", "a", "b", "c", "c, plain", "timm")]
    groups = [[job.name for job in group] for group in script.groups_of(named, 3)]
    assert groups == [["timm+m", "timm", "a", "b"], ["timm+m", "timm", "c", "c, plain"]]
    assert [len(group) for group in script.groups_of(named, 1)] == [3, 3, 4]
    assert script.groups_of(named[:1], 3) == [named[:1]]


def test_row_is_held_against_every_base_and_the_floor(script):
    rows = [
        {"name": name, "mode": "training", "batch_size": 2, "milliseconds": 1000 * seconds[0], "seconds": seconds}
        for name, seconds in (("timm+m", (1.0, 1.0)), ("ours jax", (2.0, 0.5)))
    ]
    script.complete(rows[1], rows, "coatnet_0_rw", 10, {"flops": 60.0})
    assert rows[1]["over"] == {"timm+m": (1.25, 0.5, 2.0)}
    assert rows[1]["floor_milliseconds"] == pytest.approx(1000 * 2 * 10 * 3 * 2 / 60)
