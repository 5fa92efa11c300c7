"""Where a model runs that is written or compared: in this process, or in a child with another backend.

A child gets a folder: the model's config as JSON and its weights, what to do, and the pictures. It leaves outputs
there, or an error.
"""

import json
import os
import subprocess
import sys
import tempfile

import keras
import numpy as np

from keras_coatnet.deploy import child

# A child computes on the processor, where one answer holds for all machines.
PROCESSOR_ONLY = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}


class ExportFailed(RuntimeError):
    """A writer or a runtime failed; the message is one line."""


def answers(model, pictures):
    """A model's outputs, computed on the processor. Shapes: list of N prepared pictures -> (N, ...)."""
    if is_on_processor():
        return child.answers_of_model(model, pictures)
    return _in_child(keras.backend.backend(), model, pictures, None, None)


def write_and_answer(model, path, request, backend, pictures):
    """Writes a file of a model and answers pictures with it, where `backend` is at hand.

    Args:
        model: on Keras' current backend.
        path: to write to.
        request: `Request`.
        backend: that the format needs.
        pictures: list of arrays as the file takes them.

    Returns: outputs of the file, (N, ...).
    Raises: ExportFailed with one line; OSError for a full disk and the like.
    """
    if backend != keras.backend.backend() or not is_on_processor():
        return _in_child(backend, model, pictures, path, request)
    try:
        return child.write_and_answer(model, path, request, pictures)
    except OSError:
        raise
    except Exception as error:
        raise failure(child.describe(error), path) from error


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
    name = "the model" if path is None else os.path.basename(path)
    if described["number"] is not None:
        return OSError(described["number"], described["text"])
    return ExportFailed(f"{name} could not be written and reloaded: {described['kind']}: {described['text']}")


def _in_child(backend, model, pictures, path, request):
    with tempfile.TemporaryDirectory(prefix="keras_coatnet-") as folder:
        _write_job(folder, model, pictures, path, request)
        with open(os.path.join(folder, "log.txt"), "w+b") as log:
            code = _run_child(folder, backend, log)
            error = os.path.join(folder, child.ERROR_FILE)
            if os.path.isfile(error):
                with open(error, encoding="utf-8") as file:
                    raise failure(json.load(file), path)
            if code:
                raise ExportFailed(f"The {backend} process that exports died ({_cause(code)}): {_last_words(log)}")
        return np.load(os.path.join(folder, child.OUTPUTS_FILE))


def _write_job(folder, model, pictures, path, request):
    job = {
        "path": path,
        "request": None if request is None else child.request_to_json(request),
        "image_data_format": keras.config.image_data_format(),
        "remove": [] if path is None else [os.path.dirname(path)],
    }
    for name, text in ((child.MODEL_FILE, model.to_json()), (child.JOB_FILE, json.dumps(job))):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    model.save_weights(os.path.join(folder, child.WEIGHTS_FILE))
    np.savez(os.path.join(folder, child.PICTURES_FILE), *pictures)
    if request is not None and request.calibration is not None:
        np.save(os.path.join(folder, child.CALIBRATION_FILE), request.calibration)


def _run_child(folder, backend, log):
    """Runs the child to its end; interrupted here, it ends at once. Returns its exit code."""
    environment = {**os.environ, **PROCESSOR_ONLY, "KERAS_BACKEND": backend}
    environment["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
    # Its own session: Ctrl-C reaches this process alone, which then ends the child.
    with subprocess.Popen(
        [sys.executable, "-m", child.__name__, folder],
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
