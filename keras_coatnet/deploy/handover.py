"""Where a model runs that is written or compared: in this process, or in a child with another backend.

A child gets a folder: the model's config as JSON and its weights, what to do, and the pictures. It leaves outputs
there, or an error.
"""

import os
import subprocess
import sys
import tempfile

import keras

from keras_coatnet.deploy import answers
from keras_coatnet.deploy.job import LOG_FILE, Job, describe, read_error, read_outputs, write_job

CHILD = "keras_coatnet.deploy.child"
# A child computes on the processor, where one answer holds for all machines.
PROCESSOR_ONLY = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}


class ExportFailed(RuntimeError):
    """A writer or a runtime failed; the message is one line."""


def answers_of_model(model, pictures):
    """A model's outputs, computed on the processor. Shapes: list of N prepared pictures -> (N, ...)."""
    if is_on_processor():
        return answers.answers_of_model(model, pictures)
    return _in_child(keras.backend.backend(), model, Job(pictures))


def write_and_answer(model, path, request, backend, pictures):
    """Writes a file of a model and answers pictures with it, where `backend` is at hand.

    Args:
        model: on Keras' current backend.
        path: to write to.
        request: `Request`.
        backend: that the format needs.
        pictures: list of arrays as the file takes them.

    Returns: outputs of the file, (N, ...).
    Raises: ExportFailed.
    """
    if backend != keras.backend.backend() or not is_on_processor():
        return _in_child(backend, model, Job(pictures, path, request, (os.path.dirname(path),)))
    try:
        return answers.write_and_answer(model, path, request, pictures)
    except Exception as error:
        raise failure(describe(error), path) from error


def is_on_processor():
    """Whether the current backend computes on the processor, and not on an accelerator."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.default_backend() == "cpu"
    if backend == "torch":
        import torch

        return not torch.cuda.is_available() and not torch.backends.mps.is_available()
    import tensorflow

    return not tensorflow.config.list_logical_devices("GPU")


def failure(described, path):
    """The error that a described one becomes on this side."""
    what = "the model" if path is None else os.path.basename(path)
    kind = "" if described["kind"] is None else f"{described['kind']}: "
    return ExportFailed(f"{what} could not be written and reloaded: {kind}{described['text']}")


def _in_child(backend, model, job):
    with tempfile.TemporaryDirectory(prefix="keras_coatnet-") as folder:
        write_job(folder, model, job)
        with open(os.path.join(folder, LOG_FILE), "w+b") as log:
            code = _run_child(folder, backend, log)
            error = read_error(folder)
            if error is not None:
                raise failure(error, job.path)
            if code:
                raise ExportFailed(f"The {backend} process that exports died ({_cause(code)}): {_last_words(log)}")
        return read_outputs(folder)


def _run_child(folder, backend, log):
    """Runs the child to its end; interrupted here, it ends at once. Returns its exit code."""
    environment = {**os.environ, **PROCESSOR_ONLY, "KERAS_BACKEND": backend}
    environment["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
    # Its own session: Ctrl-C reaches this process alone, which then ends the child.
    with subprocess.Popen(
        [sys.executable, "-m", CHILD, folder],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            return process.wait()
        except BaseException:
            process.kill()
            raise


def _cause(code):
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _last_words(log, longest=300):
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1][-longest:] if lines else "it said nothing"
