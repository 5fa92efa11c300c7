"""A model becomes a file of each of three formats that need no extra, and the file answers as the model does."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from running import BACKEND, randomize
from small_models import CLASSES, SIDE, tiny, twin

import keras_coatnet as kc
from keras_coatnet.deploy import answers, handover, job
from keras_coatnet.deploy.formats import FORMATS, writer_of
from keras_coatnet.deploy.handover import ExportFailed
from keras_coatnet.deploy.photographs import FOLDER
from keras_coatnet.deploy.request import Request
from keras_coatnet.deploy.runtimes import open_file
from keras_coatnet.deploy.verify import DiffersTooMuch

ENDINGS = {"saved_model": "", "pt2": ".pt2", "stablehlo": ".stablehlo"}
# Written in this process.
OWN = {"tensorflow": "saved_model", "torch": "pt2", "jax": "stablehlo"}[BACKEND]
# Written by a child.
OTHER = {"tensorflow": "stablehlo", "torch": "stablehlo", "jax": "saved_model"}[BACKEND]
PHOTOGRAPHS = sorted(str(path) for path in FOLDER.iterdir())


@pytest.fixture(scope="module")
def model():
    return twin()


def path_of(folder, format, name="model"):
    return folder / (name + ENDINGS[format])


def probabilities(model):
    """{label: probability} of each photograph, by the model or the file."""
    return [{guess.label: guess.probability for guess in row} for row in kc.predict(model, PHOTOGRAPHS)]


def assert_same_answers(file, model):
    opened = open_file(file)
    for found, expected in zip(probabilities(opened), probabilities(model), strict=True):
        assert found == pytest.approx(expected, abs=1e-5)
    return opened


def test_file_of_the_own_backend_answers_as_its_model(model, tmp_path, capfd):
    path = path_of(tmp_path, OWN)
    report = kc.export(model, path)
    out, _ = capfd.readouterr()
    assert out.splitlines()[-1] == str(report)
    assert report.path == str(path)
    assert report.fused
    assert report.difference < 1e-4
    assert report.agreement == 1
    assert report.comparison.pictures == 4
    opened = assert_same_answers(path, model)
    assert opened.input_shape == (None, SIDE, SIDE, 3)
    assert opened.output_shape == (None, CLASSES)
    assert opened.fixed_batch_size is None
    beside = {path.name, path.name + ".json"} if OWN == "stablehlo" else {path.name}
    assert set(os.listdir(tmp_path)) == beside


def test_file_of_another_backend_is_written_by_a_child(tmp_path, capfd):
    model = twin(dtype="mixed_bfloat16")
    model.origin = {"name": "mine", "labels": None, "preprocessing": None}
    path = path_of(tmp_path, OTHER)
    report = kc.export(model, path, batch_size=3, inputs="float", labels=["a", "b", "c", "d", "Bär"])
    out, err = capfd.readouterr()
    assert out.splitlines() == [str(report)]
    assert "Traceback" not in err
    opened = open_file(path)
    assert opened.fixed_batch_size == 3
    assert opened.class_labels == ["a", "b", "c", "d", "Bär"]
    assert opened.origin == model.origin
    assert len(kc.predict(opened, PHOTOGRAPHS)) == 4  # a batch of 3 is filled up


def test_bytes_go_in_where_they_are_asked_for(tmp_path):
    model, path = tiny(), path_of(tmp_path, OWN)
    kc.export(model, path, inputs="uint8")
    opened = open_file(path)
    assert opened.run.input_dtype == "uint8"
    # Rounded to bytes at the model's size, or whole and resized inside.
    for found, expected in zip(probabilities(opened), probabilities(model), strict=True):
        assert found == pytest.approx(expected, abs=1e-2)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="written in this process")
@pytest.mark.parametrize("inputs", ["uint8", "jpeg"])
def test_saved_model_crops_and_resizes_by_itself(model, tmp_path, inputs):
    path = tmp_path / "served"
    report = kc.export(model, path, inputs=inputs)
    assert report.difference < 1e-4
    opened = assert_same_answers(path, model)
    assert opened.takes_whole_pictures
    import tensorflow

    signatures = tensorflow.saved_model.load(str(path)).signatures
    assert set(signatures) == {"serve", "serving_default"}


@pytest.mark.skipif(BACKEND != "tensorflow", reason="written in this process")
def test_open_sides_stay_open_in_a_saved_model(tmp_path):
    model = twin((None, None, 3))
    kc.export(model, tmp_path / "open")
    run = open_file(tmp_path / "open").run
    assert run.input_shape == (None, None, None, 3)
    x = np.random.default_rng(0).normal(size=(2, 64, 96, 3)).astype("float32")
    np.testing.assert_allclose(run(x), answers.answers_of_model(model, list(x)), atol=1e-5)


def nested():
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            twin(include_top=False, pooling="avg", dtype="mixed_bfloat16"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3),
        ]
    )
    randomize(model)
    return model


def test_model_around_ours_is_exported_unfused_and_checked_all_the_same(tmp_path):
    model = nested()
    before = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    report = kc.export(model, path_of(tmp_path, OWN))
    assert not report.fused
    assert report.difference < 1e-4
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), value)


@pytest.mark.xfail(BACKEND == "jax", reason="TensorFlow 2.21 does not know what JAX 0.10 makes of `erf`", strict=True)
@pytest.mark.filterwarnings("ignore:The `native_serialization` parameter:DeprecationWarning")  # Keras', on JAX
def test_keras_own_export_keeps_working(model, tmp_path):
    x = np.random.default_rng(0).normal(size=(1, SIDE, SIDE, 3)).astype("float32")
    if BACKEND == "torch":
        import torch

        model.export(tmp_path / "keras.pt2", format="torch", verbose=False)
        found = torch.export.load(tmp_path / "keras.pt2").module()(torch.from_numpy(x)).numpy(force=True)
    else:
        import tensorflow

        model.export(tmp_path / "keras", verbose=False)
        loaded = tensorflow.saved_model.load(str(tmp_path / "keras"))
        found = loaded.serve(x).numpy()
    np.testing.assert_allclose(found, answers.answers_of_model(model, list(x)), atol=1e-5)


@contextlib.contextmanager
def writer_that(monkeypatch, **functions):
    """Replaces functions of the writer of the own backend's format."""
    for name, function in functions.items():
        monkeypatch.setattr(writer_of(FORMATS[OWN]), name, function)
    yield


def test_file_that_differs_too_much_is_not_kept_and_the_old_one_is(tmp_path, monkeypatch):
    path = path_of(tmp_path, OWN)
    kc.export(tiny(), path)
    before = sorted(tmp_path.rglob("*"))
    noise = np.random.default_rng(0)

    def load_badly(path):
        def run(batch):
            outputs = noise.random((len(batch), CLASSES))
            return outputs / outputs.sum(axis=1, keepdims=True)

        return run

    with (
        writer_that(monkeypatch, load=load_badly),
        pytest.raises(DiffersTooMuch, match=r"is not kept: logits differ by .* above the tolerance of 1\.0e-04"),
    ):
        kc.export(tiny(), path, force=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_writer_that_fails_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    def fail(model, path, request):
        Path(path).write_text("half")
        raise RuntimeError("\x1b[1mno such\nop\x1b[0m")

    with (
        writer_that(monkeypatch, write=fail),
        pytest.raises(ExportFailed, match=r"could not be written and reloaded: RuntimeError: no such op$"),
    ):
        kc.export(tiny(), path_of(tmp_path, OWN))
    assert list(tmp_path.iterdir()) == []


def test_interruption_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(model, path, request):
        Path(path).write_text("half")
        raise KeyboardInterrupt

    with writer_that(monkeypatch, write=interrupt), pytest.raises(KeyboardInterrupt):
        kc.export(tiny(), path_of(tmp_path, OWN))
    assert list(tmp_path.iterdir()) == []


def test_representative_pictures_are_compared_and_nan_in_the_model_is_found(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 9, 7, 3), dtype=np.uint8)
    report = kc.export(tiny(), path_of(tmp_path, OWN), representative=pictures)
    assert report.comparison.pictures == 3
    broken = tiny()
    broken.set_weights([weight * np.nan for weight in broken.get_weights()])
    with pytest.raises(ValueError, match="'tiny' answers NaN or infinity itself"):
        kc.export(broken, path_of(tmp_path, OWN, "broken"))


class TestChild:
    """What becomes of the process that another backend runs in; a stand-in takes its place."""

    @pytest.fixture(autouse=True)
    def _stand_in(self, tmp_path, monkeypatch):
        (tmp_path / "stand_in.py").write_text(
            "import os, sys, time\n"
            "from pathlib import Path\n"
            "what = os.environ['WHAT']\n"
            "print('loading'); print('the last word', file=sys.stderr, flush=True)\n"
            "if what == 'dies': os.abort()\n"
            'error = \'{"kind": "Odd", "text": "a reason"}\'\n'
            "if what == 'says': Path(sys.argv[1], 'error.json').write_text(error)\n"
            "if what == 'waits': Path(sys.argv[1], 'waiting').write_text(str(os.getpid())); time.sleep(600)\n"
        )
        monkeypatch.setattr(handover, "CHILD", "stand_in")
        monkeypatch.syspath_prepend(str(tmp_path))

    def run(self, tmp_path):
        path = str(tmp_path / "staged" / "a.onnx")
        request = Request("onnx")
        return handover.write_and_answer(tiny(), path, request, "none", [np.zeros((SIDE, SIDE, 3), "float32")])

    @pytest.mark.parametrize(
        ("what", "said"),
        [
            ("dies", r"The none process that exports died \(signal 6\): the last word$"),
            ("says", "a.onnx could not be written and reloaded: Odd: a reason$"),
        ],
    )
    def test_its_error_is_one_line_and_its_output_is_not_shown(self, tmp_path, monkeypatch, capfd, what, said):
        monkeypatch.setenv("WHAT", what)
        with pytest.raises(ExportFailed, match=said):
            self.run(tmp_path)
        assert capfd.readouterr() == ("", "")

    def test_interruption_ends_it(self, tmp_path, monkeypatch):
        monkeypatch.setenv("WHAT", "waits")
        started = []

        def interrupt(process, *arguments):
            folder = Path(process.args[-1])
            while not (folder / "waiting").exists() or not (folder / "waiting").read_text():
                assert process.poll() is None
            started.append((process, folder))
            raise KeyboardInterrupt

        wait = subprocess.Popen.wait
        monkeypatch.setattr(
            subprocess.Popen, "wait", lambda process, *a, **k: (wait if started else interrupt)(process, *a, **k)
        )
        with pytest.raises(KeyboardInterrupt):
            self.run(tmp_path)
        ((process, folder),) = started
        assert process.returncode == -9
        assert not folder.exists()


@pytest.mark.backend_free
def test_child_ends_and_cleans_up_when_its_parent_is_gone(tmp_path):
    staged, folder = tmp_path / ".a.stablehlo-staged", tmp_path / "job"
    for each in (staged, folder):
        each.mkdir()
    pictures = [np.zeros((SIDE, SIDE, 3), "float32")]
    job.write_job(str(folder), tiny(), job.Job(pictures, str(staged / "a"), Request("stablehlo"), (str(staged),)))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    command = [sys.executable, "-m", "keras_coatnet.deploy.child", str(folder)]
    # Standard input ends at once, as it does when the parent is killed.
    assert subprocess.run(command, stdin=subprocess.DEVNULL, env=environment, capture_output=True).returncode == 1
    assert list(tmp_path.iterdir()) == []
