"""A file is written, reloaded in its own runtime and answers pictures; and a Keras model answers them."""

import contextlib
import functools
import warnings

import keras
import numpy as np

from keras_coatnet.deploy.formats import FORMATS, writer_of

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
    writer = writer_of(FORMATS[request.format])
    with without_warnings():
        writer.write(model, path, request)
        return answers_of_file(writer.load(path), request, pictures)


@contextlib.contextmanager
def without_warnings():
    """Without those of Keras and of exporters about their own insides, on which whoever exports cannot act."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def answers_of_file(run, request, pictures):
    """Outputs of a loaded file, in batches that it takes; an open batch is tried at two sizes."""
    if request.inputs == "jpeg":
        files = np.array([picture.tobytes() for picture in pictures], object)
        return _in_batches(run, files, request.batch_size or len(files))
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
    with without_warnings():
        return _in_batches(functools.partial(_answer, model), np.stack(pictures), LARGEST_BATCH, fill=False)


def _answer(model, batch):
    if keras.backend.backend() == "tensorflow":
        # Of many models compiled in a row TensorFlow warns.
        return model(batch, training=False).numpy()
    return np.asarray(model.predict_on_batch(batch))
