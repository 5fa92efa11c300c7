"""A process that keeps one thing ready and times it whenever asked. Run as a file: `python -P worker_process.py`.

It imports nothing of this package by itself, so that interpreters without it can run it: peers have environments of
their own. Standard input and output carry a line of JSON each way:

    {"maker": "module:function", "keywords": {...}, "path": [folders to import from], "cores": [numbers] or null}
        -> {"seconds": {step: s}, "resident": {step: bytes}, "first": {call: s}, "outputs": [[...]], "about": {...}}
    {"call": name, "seconds": s}  -> {"seconds": of one call, "faults": page faults of one call}
    {"memory": true}              -> {"peak": bytes, "resident": bytes, "device_peak": bytes or null}
        -> {"error": text, "kind": class, "traceback": text} where something fails

The maker is called with `mark`, a function that takes the name of the step that ends ("import", "build"), and the
keywords. It returns {"calls": {name: function}} and perhaps "outputs", a function from what the first call returned to
rows of numbers, "about", plain data, and "device_peak", a function that gives bytes.
"""

import importlib
import json
import os
import signal
import sys
import time
import traceback

STATUS = "/proc/self/status"


def main():
    # Ctrl-C is for the parent to handle. When it goes away, however that was, its pipe closes and this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = sys.stdin, os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8")
    # What a library prints must not get between the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    made = None
    for line in requests:
        try:
            if made is None:
                made, answer = start(**json.loads(line))
            else:
                answer = do(made, json.loads(line))
        except Exception as error:
            text = " ".join(str(error).split())
            answer = {"error": text, "kind": type(error).__name__, "traceback": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        if "error" in answer:
            break
    answers.flush()
    # Several frameworks in one process do not always end in peace.
    os._exit(0)


def start(maker, keywords, path, cores):
    """(what the maker returned, the answer to the first request)."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)  # before any library counts the cores to make threads for
    sys.path[:0] = path
    steps = Steps()
    module, _, function = maker.partition(":")
    made = getattr(importlib.import_module(module), function)(steps.mark, **keywords)
    first, outputs = {}, None
    for name, call in made["calls"].items():
        begin = time.perf_counter()
        answer = call()
        first[name] = time.perf_counter() - begin
        if outputs is None and "outputs" in made:
            outputs = [[float(value) for value in row] for row in made["outputs"](answer)]
    return made, {
        "seconds": steps.seconds,
        "resident": steps.resident,
        "first": first,
        "outputs": outputs,
        "about": made.get("about", {}),
    }


def do(made, request):
    """The answer to a later request."""
    if "memory" in request:
        device_peak = made.get("device_peak", lambda: None)
        return {"peak": peak_bytes(), "resident": status_bytes("VmRSS"), "device_peak": device_peak()}
    call = made["calls"][request["call"]]
    # Whoever was asleep while others ran finds nothing of its own in the caches.
    call()
    before = page_faults()
    seconds, count = seconds_of(call, request["seconds"])
    return {"seconds": seconds, "faults": None if before is None else (page_faults() - before) / count}


class Steps:
    """Seconds that each step took, and the memory behind it."""

    def __init__(self):
        self.seconds, self.resident = {}, {}
        self._last = time.perf_counter()

    def mark(self, step):
        now = time.perf_counter()
        self.seconds[step] = now - self._last
        self.resident[step] = status_bytes("VmRSS")
        self._last = time.perf_counter()


def seconds_of(call, at_least):
    """(seconds of one call, how many were made) of as many calls as fill a time."""
    begin, calls = time.perf_counter(), 0
    while True:
        call()
        calls += 1
        elapsed = time.perf_counter() - begin
        if elapsed >= at_least:
            return elapsed / calls, calls


def peak_bytes():
    """The most memory that this process has had resident; None where the system does not say."""
    known = status_bytes("VmHWM")
    if known is not None:
        return known
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def status_bytes(key):
    """An entry of Linux' account of this process; None elsewhere."""
    try:
        with open(STATUS, encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key + ":"))
    except (OSError, StopIteration):
        return None


def page_faults():
    """That were served without reading a disk, so far; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


if __name__ == "__main__":
    main()
