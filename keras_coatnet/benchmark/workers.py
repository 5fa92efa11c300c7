"""Processes that live side by side and are woken in turn, one a thing that is timed: see `worker_process`."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from keras_coatnet.benchmark.measure import SECONDS_A_MEASUREMENT, measure_in_turn

PROGRAM = Path(__file__).with_name("worker_process.py")


class WorkerFailed(RuntimeError):
    """A process could not make, or do, what it was asked for.

    Args:
        text: one line.
        kind: name of the class of the error there; None where the process just ended.
        traceback: of that error, or what the process said before it ended.
    """

    def __init__(self, text, kind=None, traceback=None):
        super().__init__(text)
        self.kind, self.traceback = kind, traceback


@dataclasses.dataclass(frozen=True)
class Job:
    """What a process is started for.

    Args:
        name: to show.
        maker: "module:function" of what makes the calls.
        keywords: for it; plain data.
        call: of those it makes, the one to time.
        python: interpreter.
        environment: variables that differ from this process's; None takes one away.
        path: folders to import from.
        cores: numbers of the processor's cores to stay on; None is this process's own.
    """

    name: str
    maker: str
    keywords: dict
    call: str = "run"
    python: str = sys.executable
    environment: dict = dataclasses.field(default_factory=dict)
    path: tuple = (str(Path(__file__).parents[2]),)
    cores: tuple | None = None


class Worker:
    """A process at a `Job`; it is ready when this returns.

    Attributes: `started`, what the process said of its start: seconds, resident, first, outputs, about.
    Raises: WorkerFailed.
    """

    def __init__(self, job):
        self.job = job
        self.faults = []
        environment = {**os.environ, **{key: value for key, value in job.environment.items() if value is not None}}
        for key in (key for key, value in job.environment.items() if value is None):
            environment.pop(key, None)
        # Frameworks tell much that nobody asked for. It is shown where a process ends without an answer.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (`close` closes it)
        self._process = subprocess.Popen(
            [job.python, "-P", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            encoding="utf-8",
            env=environment,
        )
        try:
            self.started = self._ask(
                {"maker": job.maker, "keywords": job.keywords, "path": list(job.path), "cores": job.cores}
            )
        except BaseException:
            self.close()
            raise

    def seconds(self, at_least, call=None):
        """Seconds of one call, the mean of as many as fill a time."""
        answer = self._ask({"call": call or self.job.call, "seconds": at_least})
        self.faults.append(answer["faults"])
        return answer["seconds"]

    def memory(self):
        """{"peak", "resident", "device_peak"} in bytes, None where nobody knows."""
        return self._ask({"memory": True})

    def close(self):
        """Ends the process."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.terminate()
        self._process.wait()
        self._said.close()

    def _ask(self, request):
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self._process.wait()
            self._said.seek(0)
            said = self._said.read().decode(errors="replace")
            raise WorkerFailed(
                f"{self.job.name}: its process ended with code {code}; was it killed for lack of memory?", None, said
            )
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerFailed(f"{self.job.name}: {answer['error']}", answer["kind"], answer["traceback"])
        return answer


@contextlib.contextmanager
def workers_at(jobs, on_start=lambda worker: None):
    """Processes at some jobs, started one after the other, alive together.

    Args:
        jobs: of `Job`.
        on_start: called with each as soon as it is ready.

    Yields: list of `Worker`.
    """
    with contextlib.ExitStack() as stack:
        workers = []
        for job in jobs:
            worker = Worker(job)
            stack.callback(worker.close)
            workers.append(worker)
            on_start(worker)
        yield workers


def time_workers(workers, rounds=5, seconds=SECONDS_A_MEASUREMENT, advance=lambda: None):
    """Wake processes in turn, as `measure_in_turn` calls functions.

    Returns: list of `Timing`, one a worker, in their order.
    """
    measures = {index: worker.seconds for index, worker in enumerate(workers)}
    return measure_in_turn(measures, rounds, seconds, advance)
