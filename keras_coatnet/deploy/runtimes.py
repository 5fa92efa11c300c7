"""Any exported file behind what a Keras classifier offers to `predict`: answers, shapes, preprocessing and labels."""

import os
from importlib.util import find_spec

import numpy as np

from keras_coatnet.deploy.arguments import BYTES, ENCODED, FLOAT
from keras_coatnet.deploy.formats import FORMATS, writer_of
from keras_coatnet.deploy.photographs import as_png
from keras_coatnet.deploy.pixels import as_bytes
from keras_coatnet.deploy.staging import SAVED_MODEL_FILE, read_metadata_beside
from keras_coatnet.images.preprocess import DEFAULT_PREPROCESSING, Preprocessing
from keras_coatnet.prediction.inputs import COLOURS, DEFAULT_SIDE

KINDS = {"string": ENCODED, "uint8": BYTES}


def format_of_file(path):
    """The row of the format that an existing file or folder has; None where it has none of them."""
    path = os.fspath(path)
    if os.path.isdir(path):
        return FORMATS["saved_model"] if os.path.isfile(os.path.join(path, SAVED_MODEL_FILE)) else None
    ending = os.path.splitext(path)[1].lower()
    return next((row for row in FORMATS.values() if ending in row.endings), None)


def is_exported(path):
    """Whether a text names a file or folder of one of the formats, there or not."""
    return format_of_file(path) is not None


def open_file(path):
    """Loads an exported file, of this package or another's, in its own runtime.

    Args:
        path: of the file or folder.

    Returns: `ExportedModel`.
    Raises: ValueError for what is no such file; ModuleNotFoundError where its runtime is not installed.
    """
    path = os.fspath(path)
    format = format_of_file(path)
    if format is None:
        endings = ", ".join(ending for row in FORMATS.values() for ending in row.endings)
        raise ValueError(f"{path} is no exported file: it has to end in {endings}, or be a SavedModel's folder.")
    if not os.path.exists(path):
        raise ValueError(f"{path}: no such file")
    if find_spec(format.runtime) is None:
        extra = "export" if format.runtime in format.packages else format.runtime
        raise ModuleNotFoundError(
            f"Running {os.path.basename(path)} needs {format.runtime.replace('_', '-')}, not installed here: "
            f"pip install 'keras-coatnet[{extra}]'",
            name=format.runtime,
        )
    writer = writer_of(format)
    try:
        run = writer.load(path)
        metadata = (writer.read_metadata(path) if format.embeds_metadata else None) or read_metadata_beside(path) or {}
    except (OSError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{path} cannot be loaded as {format.name}: {type(error).__name__}: {reason}") from error
    return ExportedModel(path, format, run, metadata)


class ExportedModel:
    """A file that answers as a Keras classifier does.

    Args:
        path: of the file.
        format: `Format`.
        run: function from a batch to the outputs, with `input_shape` and `input_dtype`.
        metadata: what the file says about itself; {} for one of others, which gets what a Keras model without any gets.
    """

    def __init__(self, path, format, run, metadata):
        self.path, self.format, self.run, self.metadata = path, format, run, metadata
        self.name = metadata.get("name") or os.path.basename(path.rstrip("/" + os.sep))
        known = metadata.get("preprocessing")
        self.preprocessing = DEFAULT_PREPROCESSING if known is None else Preprocessing(**known)
        self.kind = metadata.get("inputs") or KINDS.get(run.input_dtype, FLOAT)
        # A SavedModel that takes other than floats crops and resizes by itself.
        self.takes_whole_pictures = format.is_folder and self.kind != FLOAT
        self.origin = metadata.get("origin")
        self.fixed_batch_size = run.input_shape[0] if run.input_shape else None
        self.input_shape = self._pictures_shape()
        self.output_shape = (None, *self._known_outputs())

    @property
    def class_labels(self):
        """Name of a label set, list of class names, or None where the file says nothing."""
        return self.metadata.get("label_set") or self.metadata.get("labels")

    def predict_on_batch(self, batch):
        """Outputs of prepared pictures, as many as there are, whatever batch the file takes.

        Shapes: (N, H, W, 3) -> (N, classes)
        """
        batch = np.asarray(batch, np.float32)
        if self.kind == BYTES:
            batch = as_bytes(batch, self.preprocessing, self._channels_first())
        return self._in_its_batches(batch)

    def predict_pictures(self, pictures):
        """Outputs of pictures as they are, for a file that crops and resizes by itself.

        Args:
            pictures: list of RGB arrays, bytes or floats from 0 to 255, (H, W, 3), of any size each.

        Shapes: -> (N, classes)
        """
        pictures = [np.round(picture).astype(np.uint8) for picture in pictures]
        if self.kind == ENCODED:
            return self._in_its_batches(np.array([as_png(picture) for picture in pictures], object))
        return np.concatenate([self._in_its_batches(picture[np.newaxis]) for picture in pictures])

    def _in_its_batches(self, batch):
        size = self.fixed_batch_size
        if size is None:
            return np.asarray(self.run(batch))
        outputs = []
        for start in range(0, len(batch), size):
            part = batch[start : start + size]
            filled = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
            outputs.append(np.asarray(self.run(filled))[: len(part)])
        return np.concatenate(outputs)

    def _pictures_shape(self):
        if not self.takes_whole_pictures:
            return (None, *self.run.input_shape[1:])
        return (None, *(self.metadata.get("image_size") or (DEFAULT_SIDE, DEFAULT_SIDE)), COLOURS)

    def _channels_first(self):
        return self.input_shape[3] != COLOURS and self.input_shape[1] == COLOURS

    def _known_outputs(self):
        if "output_shape" in self.metadata:
            return self.metadata["output_shape"][1:]
        sides = [side or DEFAULT_SIDE for side in self.input_shape[1:]]
        return self.predict_on_batch(np.zeros((1, *sides), np.float32)).shape[1:]
