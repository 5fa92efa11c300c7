"""The process that another backend runs in, and what becomes of it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from running import BACKEND
from small_models import SIDE, tiny

from keras_coatnet.deploy import handover, job
from keras_coatnet.deploy.handover import ExportFailed
from keras_coatnet.deploy.request import Request


class TestStandIn:
    """A stand-in takes the child's place."""

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


def test_what_lives_on_an_accelerator_is_computed_on_the_processor_by_a_child(monkeypatch):
    asked = []
    monkeypatch.setattr(handover, "is_on_processor", lambda: False)
    monkeypatch.setattr(handover, "_in_child", lambda backend, model, todo: asked.append((backend, todo)))
    pictures = [np.zeros((SIDE, SIDE, 3), "float32")]
    handover.answers_of_model(tiny(), pictures)
    handover.write_and_answer(tiny(), "/a/b.pt2", Request("pt2"), BACKEND, pictures)
    assert [backend for backend, _ in asked] == [BACKEND, BACKEND]
    assert [todo.path for _, todo in asked] == [None, "/a/b.pt2"]
    assert handover.PROCESSOR_ONLY.keys() >= {"CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS"}


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
