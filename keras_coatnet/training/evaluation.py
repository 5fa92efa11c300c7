"""How right a model is: its answers to every picture of a feed, and what they count to."""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_coatnet.training.optimization.compilation import output_activation
from keras_coatnet.training.scale.answers import make_answerer

GUESSES = 5
REAL_PICTURES = 50_000
VALIDATION_NAME = re.compile(r"ILSVRC2012_val_(\d{8})\.")


@dataclass(frozen=True)
class Answers:
    """What a model said to the pictures that could be read.

    Args:
        names: of the pictures.
        labels: int (N,).
        guesses: int (N, up to 5), the best first.
        loss: mean over the pictures.
        seconds, timed: how long so many pictures took, without the first batch, which compiles the model.
        skipped: names of pictures that could not be read, with the reasons.
    """

    names: tuple
    labels: np.ndarray
    guesses: np.ndarray
    loss: float
    seconds: float
    timed: int
    skipped: dict

    @property
    def top1(self):
        return float(np.mean(self.guesses[:, 0] == self.labels))

    @property
    def top5(self):
        return float(np.mean((self.guesses == self.labels[:, None]).any(1)))

    @property
    def images_per_second(self):
        """None where one batch was all."""
        return self.timed / self.seconds if self.timed else None

    def confusion(self, classes):
        """int (classes, classes): how many pictures of a class (row) were taken for which (column)."""
        counts = np.zeros((classes, classes), np.int64)
        np.add.at(counts, (self.labels, self.guesses[:, 0]), 1)
        return counts


def collect_answers(model, feed, on_batch=None):
    """Runs a model over all pictures of an evaluation feed, each once.

    Args:
        model: classifier, with probabilities or logits.
        feed: `Feed` of evaluation batches.
        on_batch: called with the number of pictures after each batch.

    In a run of several processes all of them get all answers, but `skipped` lists what this one could not read.

    Raises: ValueError where not one picture can be read.
    """
    activation = output_activation(model)
    source, names, labels, guesses, losses = feed.maker.source, [], [], [], []
    size, start, index, timed, answer = feed.batch_size, time.perf_counter(), 0, 0, make_answerer(model)
    for batch in _batches(feed):
        outputs, targets, weights = answer(*batch)
        outputs = np.asarray(outputs, np.float32)
        read = weights > 0
        names += [source.name(index + place) for place in np.flatnonzero(read)]
        labels.append(targets[read].argmax(-1))
        guesses.append(np.argsort(-outputs[read], axis=-1, kind="stable")[:, :GUESSES])
        losses.append(_losses(outputs[read], targets[read], activation))
        if index == 0:
            start = time.perf_counter()
        else:
            timed += int(read.sum())
        index += size
        if on_batch is not None:
            on_batch(min(index, len(source)))
    seconds = time.perf_counter() - start
    if not names:
        raise ValueError(f"none of the {len(source)} pictures can be read")
    loss = float(np.concatenate(losses).mean())
    return Answers(
        tuple(names), np.concatenate(labels), np.concatenate(guesses), loss, seconds, timed, dict(feed.skipped)
    )


def _batches(feed):
    """The arrays of every batch, whichever loader makes them."""
    stream = feed.dataset()
    if isinstance(stream, keras.utils.PyDataset):
        yield from (stream[index] for index in range(feed.steps))
        return
    for batch in stream:
        yield tuple(np.asarray(array) for array in batch)


def _losses(outputs, targets, activation):
    """Cross-entropy of each picture; with a sigmoid, the mean of the classes' own."""
    if activation == "sigmoid":
        outputs = np.clip(outputs, 1e-7, 1 - 1e-7)
        return -(targets * np.log(outputs) + (1 - targets) * np.log1p(-outputs)).mean(-1)
    if activation == "softmax":
        outputs = np.log(np.maximum(outputs, 1e-30))
    outputs = outputs - outputs.max(-1, keepdims=True)
    return -(targets * (outputs - np.log(np.exp(outputs).sum(-1, keepdims=True)))).sum(-1)


def read_real_labels(path):
    """ImageNet's reassessed labels (arXiv 2006.07159): real.json, a list of labels for each validation picture.

    Raises: ValueError for another file.
    """
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a json file ({error})") from None
    if not (isinstance(rows, list) and len(rows) == REAL_PICTURES and all(isinstance(row, list) for row in rows)):
        raise ValueError(f"{path}: must hold {REAL_PICTURES} lists of labels, as real.json of reassessed-imagenet")
    return rows


def real_accuracy(answers, real):
    """(share of pictures whose best guess is among their reassessed labels, how many have any).

    Args:
        answers: of a model with ImageNet's 1,000 classes in their order, for files named ILSVRC2012_val_00000001.JPEG.
        real: of `read_real_labels`.

    Raises: ValueError for other names.
    """
    right = []
    for name, guess in zip(answers.names, answers.guesses[:, 0].tolist(), strict=True):
        found = VALIDATION_NAME.search(name)
        if found is None or not 1 <= int(found.group(1)) <= len(real):
            raise ValueError(f"reassessed labels go by names such as ILSVRC2012_val_00000001.JPEG; got {name}")
        labels = real[int(found.group(1)) - 1]
        if labels:
            right.append(guess in labels)
    if not right:
        raise ValueError("none of the pictures has a reassessed label")
    return float(np.mean(right)), len(right)
