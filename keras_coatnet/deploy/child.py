"""What happens where a file is written: write it, reload it in its own runtime, answer pictures with it.

Run as `python -m keras_coatnet.deploy.child FOLDER` it does so in a process of its own, with the backend that the
format needs; see `handover` for what lies in the folder.
"""

import dataclasses
import functools
import json
import os
import shutil
import sys
import threading
import warnings

import numpy as np

MODEL_FILE, WEIGHTS_FILE, JOB_FILE = "model.json", "model.weights.h5", "job.json"
PICTURES_FILE, CALIBRATION_FILE, OUTPUTS_FILE = "pictures.npz", "calibration.npy", "outputs.npy"
ERROR_FILE = "error.json"
LARGEST_BATCH = 16


def write_and_answer(model, path, request, pictures):
    """Writes a file, reloads it and runs it.

    Args:
        model: Keras model on the backend of the format.
        path: to write to.
        request: `Request`.
        pictures: list of arrays as the file takes them, without a batch axis; bytes of a file, one-dimensional, for
            inputs="jpeg".

    Returns: outputs, (N, ...).
    """
    from keras_coatnet.deploy.formats import FORMATS, writer_of

    writer = writer_of(FORMATS[request.format])
    with warnings.catch_warnings():
        # The exporters' own, about their insides; whoever exports cannot act on them.
        warnings.simplefilter("ignore")
        writer.write(model, path, request)
        return answers_of_file(writer.load(path), request, pictures)


def answers_of_file(run, request, pictures):
    """Outputs of a loaded file, in batches that it takes; an open batch is tried at two sizes."""
    if request.inputs == "jpeg":
        return np.asarray(run(np.array([picture.tobytes() for picture in pictures], object)))
    if request.takes_whole_pictures:
        size = request.batch_size or 1
        return np.concatenate([np.asarray(run(np.stack([picture] * size)))[:1] for picture in pictures])
    if request.batch_size is not None:
        return _in_batches(run, np.stack(pictures), request.batch_size)
    first = np.asarray(run(np.stack(pictures[:1])))
    if len(pictures) == 1:
        return first
    return np.concatenate([first, _in_batches(run, np.stack(pictures[1:]), LARGEST_BATCH, fill=False)])


def _in_batches(run, pictures, size, fill=True):
    outputs = []
    for start in range(0, len(pictures), size):
        batch = pictures[start : start + size]
        missing = size - len(batch) if fill else 0
        filled = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch
        outputs.append(np.asarray(run(filled))[: len(batch)])
    return np.concatenate(outputs)


def answers_of_model(model, pictures):
    """Outputs of a Keras model. Shapes: list of N prepared pictures -> (N, ...)."""
    return _in_batches(functools.partial(_answer, model), np.stack(pictures), LARGEST_BATCH, fill=False)


def _answer(model, batch):
    import keras

    if keras.backend.backend() == "tensorflow":
        # Of many models compiled in a row TensorFlow warns.
        return model(batch, training=False).numpy()
    return np.asarray(model.predict_on_batch(batch))


def main(folder):
    """Does the job that lies in a folder; what goes wrong is left there as one line."""
    job = _read_json(os.path.join(folder, JOB_FILE))
    _end_with_parent([folder, *job["remove"]])
    try:
        outputs = _do(job, folder)
        np.save(os.path.join(folder, OUTPUTS_FILE), outputs)
    except Exception as error:
        import traceback

        traceback.print_exc()
        with open(os.path.join(folder, ERROR_FILE), "w", encoding="utf-8") as file:
            json.dump(describe(error), file)
        return 1
    return 0


def describe(error):
    """An error as plain data: the kind, the number where the system raised it, and one line."""
    return {
        "kind": type(error).__name__,
        "number": error.errno if isinstance(error, OSError) else None,
        "text": first_words(error),
    }


def first_words(error, longest=300):
    """The message of an error as one line, cut where it rambles."""
    text = " ".join(str(error).split())
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _do(job, folder):
    import keras

    # Registers our layers.
    import keras_coatnet.layers
    import keras_coatnet.registry  # noqa: F401
    from keras_coatnet.deploy.request import Request
    from keras_coatnet.images.preprocess import Preprocessing

    keras.config.set_image_data_format(job["image_data_format"])
    with open(os.path.join(folder, MODEL_FILE), encoding="utf-8") as file:
        model = keras.models.model_from_json(file.read())
    model.load_weights(os.path.join(folder, WEIGHTS_FILE))
    with np.load(os.path.join(folder, PICTURES_FILE)) as file:
        pictures = [file[name] for name in file.files]
    if job["request"] is None:
        return answers_of_model(model, pictures)
    fields = dict(job["request"])
    fields["preprocessing"] = Preprocessing(**fields["preprocessing"]) if fields["preprocessing"] else None
    fields["image_size"] = tuple(fields["image_size"]) if fields["image_size"] else None
    calibration = os.path.join(folder, CALIBRATION_FILE)
    fields["calibration"] = np.load(calibration) if os.path.isfile(calibration) else None
    return write_and_answer(model, job["path"], Request(**fields), pictures)


def request_to_json(request):
    """The fields of a request that JSON can hold."""
    fields = {field.name: getattr(request, field.name) for field in dataclasses.fields(request)}
    del fields["calibration"]
    if request.preprocessing is not None:
        fields["preprocessing"] = dataclasses.asdict(request.preprocessing)
    return fields


def _read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def _end_with_parent(leftovers):
    """Standard input ends when whoever started this process is gone, killed perhaps: then so is this one's work."""

    def watch():
        while sys.stdin.buffer.read(1024):
            pass
        for path in leftovers:
            shutil.rmtree(path, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    code = main(sys.argv[1])
    sys.stdout.flush()
    # Frameworks in one process do not always end in peace.
    os._exit(code)
