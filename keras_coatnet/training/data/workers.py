"""Makes batches in processes of their own, so that Python's lock does not hold them up."""

import os
import pickle
import queue
import subprocess
import sys
import weakref
from pathlib import Path

PACKAGE = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("worker_process.py")
LARGEST_DEFAULT = 8


def default_workers():
    """How many processes make batches if nobody says: one a core but the one that trains, at most 8."""
    # In a container this process may have fewer cores than there are.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(LARGEST_DEFAULT, cores - 1))


class Workers:
    """Processes that make batches; asked from threads, one batch a thread at a time.

    The processes start at the first batch and end with `close`, with this object, or with this process, even a killed
    one.

    Args:
        maker: `TrainingBatchMaker` or `EvaluationBatchMaker`.
        count: processes.
    """

    def __init__(self, maker, count):
        self.maker, self.count = maker, count
        self._idle = queue.LifoQueue()
        self._closed = False
        self._processes = []
        # One place a process, filled with it when it is first needed.
        for _ in range(count):
            self._idle.put(None)
        weakref.finalize(self, _end, self._processes)

    def batch(self, epoch, step):
        """The `Batch` of a step; waits until a process is free, then until it is done."""
        process = self._idle.get()
        try:
            # Loaders read ahead; without this they would start the processes again.
            if self._closed:
                raise RuntimeError("The feed is closed; make another one for more batches.")
            if process is None or process.poll() is not None:
                process = self._start()
            pickle.dump((epoch, step), process.stdin)
            process.stdin.flush()
            batch, problem = pickle.load(process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            code = None if process is None else process.wait()
            process = None
            raise RuntimeError(
                f"A process that makes batches ended with code {code}; was it killed for lack of memory? ({error})"
            ) from None
        finally:
            self._idle.put(process)
        if problem is not None:
            error, text = problem
            error.add_note(f"In a process that makes batches (workers=0 makes them in this one):\n{text}")
            raise error
        return batch

    def close(self):
        """Ends the processes; there are no more batches after it."""
        self._closed = True
        _end(self._processes)

    def _start(self):
        payload = _pickled(self.maker)
        command = [sys.executable, "-P", str(PROGRAM), str(PACKAGE)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._processes.append(process)
        pickle.dump(sys.path, process.stdin)
        pickle.dump(payload, process.stdin, protocol=5)
        process.stdin.flush()
        return process


def _pickled(maker):
    """Once more inside, so that a process can say what is wrong with it."""
    try:
        return pickle.dumps(maker, protocol=5)
    except Exception as error:
        raise TypeError(
            f"These pictures cannot be sent to another process ({error}); workers=0 makes batches in this one."
        ) from None


def _end(processes):
    for process in processes:
        process.stdin.close()
        process.stdout.close()
        process.terminate()
    for process in processes:
        process.wait()
    processes.clear()
