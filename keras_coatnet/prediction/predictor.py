"""Pictures to labels in a pool of workers: a callable that travels light and loads its model where it arrives."""

import numpy as np

from keras_coatnet.images.read import UnreadableImage
from keras_coatnet.prediction.answers import check_top
from keras_coatnet.prediction.classifier import LARGEST_BATCH, Classifier
from keras_coatnet.prediction.load import check_source, load

# Columns that hold pictures, the first one present is taken; the pixels are not handed on.
PICTURES = ("image", "bytes")
PATHS = "path"


class Predictor:
    """Classifies batches that are dictionaries of columns, as `ray.data.Dataset.map_batches` hands them over.

    The model is loaded at the first batch, once a process. What is pickled is how to load it, the name or the file;
    only a model that was handed over itself travels whole.

    Args:
        model: name of a variant, path of a `.keras` file (class names: `classes.json` beside it), or a model.
        weights: tag of released weights or path of a checkpoint, for a variant's name; None is "imagenet".
        top: how many classes a picture.
        batch_size: pictures the model sees at once, whatever comes: smaller batches are filled up, larger ones split.
        labels: class names, the name of a list such as "imagenet-1k", or None: see `predict`.
        threads: that read pictures; None is one a processor, at most 8.

    Raises:
        ValueError: an unknown name or no such file, at once; anything else about the model at the first batch.
    """

    def __init__(self, model, weights=None, *, top=5, batch_size=LARGEST_BATCH, labels=None, threads=None):
        check_top(top)
        check_source(model, weights)
        self.model, self.weights = model, weights
        self.top, self.batch_size, self.labels, self.threads = top, batch_size, labels, threads
        self._classifier = None

    def __getstate__(self):
        return {**self.__dict__, "_classifier": None}

    def __call__(self, batch):
        """Classifies the pictures of a batch.

        Args:
            batch: dictionary of columns of equal length, one of them "image" (arrays of bytes, or of numbers from 0 to
                255), "bytes" (of files) or "path"; the first of these that is there.

        Returns: dictionary with the other columns (and "path"), and
            "predicted_wnid", "predicted_label" (N,): lists of `top` texts, empty ones where there is none;
            "predicted_probability" float32 (N, top): NaN where a picture could not be read;
            "error" (N,): why it could not, else an empty text.
        Raises:
            ValueError: no such column, or an array that is no picture.
        """
        column = next((name for name in (*PICTURES, PATHS) if name in batch), None)
        if column is None:
            raise ValueError(f"A batch must have a column image, bytes or path; got {list(batch)}.")
        classifier = self._load()
        answers = [answer for _, answer in classifier.stream(batch[column])]
        kept = {name: values for name, values in batch.items() if name not in PICTURES}
        return {**kept, **_columns(answers, min(self.top, len(classifier.names)))}

    def _load(self):
        if self._classifier is None:
            model, labels = load(self.model, self.weights)
            labels = labels if self.labels is None else self.labels
            self._classifier = Classifier(model, labels, self.top, self.batch_size, self.threads)
        return self._classifier


def _columns(answers, top):
    # Lists, since a table's column of fixed-width text cannot grow when a later batch has longer names.
    wnids, labels = np.empty(len(answers), object), np.empty(len(answers), object)
    probabilities = np.full((len(answers), top), np.nan, np.float32)
    errors = np.full(len(answers), "", object)
    for row, answer in enumerate(answers):
        if isinstance(answer, UnreadableImage):
            wnids[row], labels[row], errors[row] = [""] * top, [""] * top, str(answer)
            continue
        wnids[row] = [guess.wnid or "" for guess in answer]
        labels[row] = [guess.label for guess in answer]
        probabilities[row] = [guess.probability for guess in answer]
    return {
        "predicted_wnid": wnids,
        "predicted_label": labels,
        "predicted_probability": probabilities,
        "error": errors,
    }
