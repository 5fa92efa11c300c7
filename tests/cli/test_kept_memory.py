"""Commands that compute with Keras keep freed memory, in processes of their own alone."""

import pytest

from keras_coatnet.cli import main as main_module

pytestmark = pytest.mark.backend_free

PREDICT = ["predict", "nowhere.png"]


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """A list that gets an entry for each time."""
    monkeypatch.chdir(tmp_path)
    times = []
    monkeypatch.setattr(main_module, "keep_freed_memory", lambda: times.append(1))
    return times


@pytest.mark.parametrize(
    ("arguments", "times"),
    [(PREDICT, 1), ([*PREDICT, "--model", "a.onnx"], 0), (["models", "coatnet_0"], 0)],
    ids=["keras", "exported file", "no computing"],
)
def test_own_process_keeps_memory_where_keras_computes(arguments, times, kept, monkeypatch):
    monkeypatch.setattr("sys.argv", ["keras-coatnet", *arguments])
    main_module.main()
    assert len(kept) == times


def test_somebody_elses_process_is_left_alone(kept):
    assert main_module.main(PREDICT) == 1
    assert kept == []
