"""The folder that a child process gets: a model, what to do with it, and room for what comes of it."""

import dataclasses
import errno
import json
import os
import re

import keras
import numpy as np

from keras_coatnet.deploy.request import Request
from keras_coatnet.images.preprocess import Preprocessing

MODEL_FILE, WEIGHTS_FILE, JOB_FILE = "model.json", "model.weights.h5", "job.json"
PICTURES_FILE, CALIBRATION_FILE = "pictures.npz", "calibration.npy"
OUTPUTS_FILE, ERROR_FILE, LOG_FILE = "outputs.npy", "error.json", "log.txt"
# Some writers say it in the midst of much else.
DISK_IS_FULL = os.strerror(errno.ENOSPC)
# Keras writes its errors for terminals.
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclasses.dataclass(frozen=True)
class Job:
    """What a child process does.

    Args:
        pictures: list of arrays, as the file takes them, or the model.
        path: to write to; None where the model itself shall answer.
        request: `Request`, or None likewise.
        leftovers: folders to remove where whoever started the child is gone.
    """

    pictures: list
    path: str | None = None
    request: Request | None = None
    leftovers: tuple = ()


def write_job(folder, model, job):
    """Puts a model and a job into a folder."""
    said = {
        "path": job.path,
        "request": None if job.request is None else _request_to_json(job.request),
        "leftovers": list(job.leftovers),
        "image_data_format": keras.config.image_data_format(),
    }
    _write_text(os.path.join(folder, MODEL_FILE), model.to_json())
    _write_text(os.path.join(folder, JOB_FILE), json.dumps(said))
    model.save_weights(os.path.join(folder, WEIGHTS_FILE))
    np.savez(os.path.join(folder, PICTURES_FILE), *job.pictures)
    if job.request is not None and job.request.calibration is not None:
        np.save(os.path.join(folder, CALIBRATION_FILE), job.request.calibration)


def read_job(folder):
    """The `Job` of a folder. Keras' image data format becomes the one that it was handed over in."""
    said = _read_json(os.path.join(folder, JOB_FILE))
    keras.config.set_image_data_format(said["image_data_format"])
    with np.load(os.path.join(folder, PICTURES_FILE)) as file:
        pictures = [file[name] for name in file.files]
    request = None if said["request"] is None else _request_from_json(said["request"], folder)
    return Job(pictures, said["path"], request, tuple(said["leftovers"]))


def read_model(folder):
    """The model of a folder, on the current backend."""
    with open(os.path.join(folder, MODEL_FILE), encoding="utf-8") as file:
        model = keras.models.model_from_json(file.read())
    model.load_weights(os.path.join(folder, WEIGHTS_FILE))
    return model


def write_outputs(folder, outputs):
    np.save(os.path.join(folder, OUTPUTS_FILE), outputs)


def read_outputs(folder):
    return np.load(os.path.join(folder, OUTPUTS_FILE))


def write_error(folder, error):
    _write_text(os.path.join(folder, ERROR_FILE), json.dumps(describe(error)))


def read_error(folder):
    """What `describe` said of the error in a folder; None where there is none."""
    path = os.path.join(folder, ERROR_FILE)
    return _read_json(path) if os.path.isfile(path) else None


def describe(error):
    """An error as plain data: its kind, where that says more than its text, and one line."""
    text = first_words(error)
    if DISK_IS_FULL in text:
        return {"kind": None, "text": DISK_IS_FULL}
    if isinstance(error, OSError):
        return {"kind": None, "text": error.strerror or text}
    return {"kind": type(error).__name__, "text": text}


def first_words(error, longest=300):
    """The message of an error as one line, cut where it rambles."""
    text = " ".join(COLOURS.sub("", str(error)).split())
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _request_to_json(request):
    fields = {field.name: getattr(request, field.name) for field in dataclasses.fields(request)}
    del fields["calibration"]  # an array, in a file of its own
    if request.preprocessing is not None:
        fields["preprocessing"] = dataclasses.asdict(request.preprocessing)
    return fields


def _request_from_json(fields, folder):
    preprocessing, image_size = fields["preprocessing"], fields["image_size"]
    calibration = os.path.join(folder, CALIBRATION_FILE)
    return Request(
        **{
            **fields,
            "preprocessing": None if preprocessing is None else Preprocessing(**preprocessing),
            "image_size": None if image_size is None else tuple(image_size),
            "calibration": np.load(calibration) if os.path.isfile(calibration) else None,
        }
    )


def _write_text(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)
