"""A process that makes batches. Run as a file: `python -P worker_process.py PACKAGE_FOLDER`.

It loads neither Keras nor its backend, which would take seconds and half a gigabyte a process: the package is made
known by its folder alone, without its `__init__`. Nor does it load the caller's main module, as multiprocessing would,
so scripts need no `if __name__ == "__main__"`.
"""

import os
import pickle
import signal
import sys
import traceback
import types


def main(package_folder):
    # Ctrl-C is for the parent to handle. When it goes away, however that was, its pipe closes and this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    package = types.ModuleType("keras_coatnet")
    package.__path__ = [package_folder]
    sys.modules["keras_coatnet"] = package
    tasks, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=1 << 20)
    # What a decoder prints must not get between the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        sys.path[:] = pickle.load(tasks)
        payload, maker = pickle.load(tasks), None
        while True:
            epoch, step = pickle.load(tasks)
            maker, answer = make(maker, payload, epoch, step)
            pickle.dump(answer, answers, protocol=5)
            answers.flush()
    except (EOFError, BrokenPipeError):
        return


def make(maker, payload, epoch, step):
    """(the maker, answer): the answer is (batch, None), or (None, (the error, its traceback as text))."""
    try:
        if maker is None:
            maker = pickle.loads(payload)
        return maker, (maker.batch(epoch, step), None)
    except Exception as error:
        text = traceback.format_exc()
        return maker, (None, (sendable(error), text))


def sendable(error):
    """The error, or one of a known kind where its own cannot be made again from what it says."""
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
