"""Processes side by side: what they are told, what they answer, how they fail and end."""

import os
from pathlib import Path

import pytest

from keras_coatnet.benchmark.compare import compare, thread_environment
from keras_coatnet.benchmark.workers import Job, Worker, WorkerFailed, workers_at

pytestmark = pytest.mark.backend_free

HERE = str(Path(__file__).parent)


def job(name="counter", maker="counting", environment=None, cores=None, **keywords):
    return Job(name, f"makers:{maker}", keywords, path=(HERE,), environment=environment or {}, cores=cores)


def test_process_says_what_it_made_and_times_it(monkeypatch):
    monkeypatch.setenv("SAID", "before")
    core = min(os.sched_getaffinity(0))
    with workers_at([job(step=3, environment={"SAID": None}, cores=(core,))]) as (worker,):
        started = worker.started
        assert started["outputs"] == [[3.0]]
        assert started["about"]["cores"] == [core]
        assert started["about"]["variable"] is None
        assert set(started["seconds"]) == {"import", "build"}
        assert started["resident"]["build"] >= started["resident"]["import"] > 1e6
        assert 0 < worker.seconds(0) < 1
        assert worker.memory()["peak"] > 1e6
        assert worker.memory()["device_peak"] is None


def test_error_of_a_maker_or_a_call_is_told_with_its_kind():
    with pytest.raises(WorkerFailed, match=r"counter: counting.*unexpected keyword argument 'pace'") as failure:
        Worker(job(pace=2))
    assert failure.value.kind == "TypeError"
    with workers_at([job(fails_at=2)]) as (worker,), pytest.raises(WorkerFailed, match="it went wrong") as failure:
        worker.seconds(0)
    assert failure.value.kind == "ValueError"
    assert "in call" in failure.value.traceback


def test_process_that_just_ends_is_told():
    with pytest.raises(WorkerFailed, match="its process ended with code 9") as failure:
        Worker(job(maker="ending"))
    assert failure.value.traceback == "out of everything"


def test_processes_end_with_the_block():
    with workers_at([job(), job("other")]) as workers:
        processes = [worker._process for worker in workers]
        assert [process.poll() for process in processes] == [None, None]
    assert all(process.returncode is not None for process in processes)


def test_rows_hold_speed_limits_memory_and_start_up():
    advanced, checked = [], []
    rows, limits = compare(
        [job("one"), job("two")],
        ceiling=job("limits", "limits"),
        mode="training",
        batch_size=2,
        rounds=2,
        seconds=0,
        check=lambda workers: checked.extend(worker.started["outputs"] for worker in workers),
        advance=lambda: advanced.append(1),
    )
    assert checked == [[[1.0]], [[1.0]]]
    assert len(advanced) == 3 + 4 * 2
    assert [row["name"] for row in rows] == ["one", "two"]
    assert rows[0]["speed_over_first"] == 1.0
    assert all(len(row["seconds"]) == 2 and row["peak_bytes"] >= 0 for row in rows)
    # Two images a batch, one a call: a batch takes two calls; a multiply-add is 2 FLOP, and a step three answers.
    row = rows[1]
    assert row["flops"] == pytest.approx(2 * 5 * 3 * 2 / (row["milliseconds"] / 1000))
    assert row["utilisation"] == pytest.approx(row["flops"] / limits["flops"])
    assert row["images_a_second"] == pytest.approx(2 / (row["milliseconds"] / 1000))


def test_threads_are_left_alone_unless_told():
    assert thread_environment(None) == {}
    assert set(thread_environment(2).values()) == {"2"}
