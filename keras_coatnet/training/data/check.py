"""Reads every picture of a data set once and says what is wrong with it, before hours of training find out."""

import hashlib
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePath

import numpy as np

from keras_coatnet.images.read import UnreadableImage
from keras_coatnet.training.data.workers import default_workers

TRAIN, HELD_OUT, TEST = "train", "held out", "test"


@dataclass
class DataReport:
    """What is in a data set.

    Args:
        classes: names in label order.
        counts: for each part, how many pictures each label has that can be read.
        unreadable: (name, reason) of each picture that cannot be read.
        sizes: (height, width) of the others.
        copies: groups of (part, label, name) with the same pixels.
        repeated_names: CLASS/FILE of names that more than one part has.
    """

    classes: tuple
    counts: dict = field(default_factory=dict)
    unreadable: list = field(default_factory=list)
    sizes: list = field(default_factory=list)
    copies: list = field(default_factory=list)
    repeated_names: list = field(default_factory=list)

    @property
    def harmful_copies(self):
        """Groups that stand in more than one class or part: contradictions, or test pictures that are trained on."""
        return [group for group in self.copies if len({(part, label) for part, label, _ in group}) > 1]

    @property
    def empty_classes(self):
        """Classes without a readable picture to train on; parts to hold out or test with may lack some."""
        counts = self.counts[TRAIN]
        return [name for label, name in enumerate(self.classes) if not counts[label]]

    @property
    def similar_classes(self):
        """Groups of class names that differ in capitals, spaces or dashes only."""
        groups = defaultdict(list)
        for name in self.classes:
            groups["".join(each for each in name.casefold() if each.isalnum()) or name].append(name)
        return [group for group in groups.values() if len(group) > 1]

    @property
    def is_good(self):
        return not (self.unreadable or self.harmful_copies or self.empty_classes or self.similar_classes)

    def size_range(self):
        """((height, width) smallest, median, largest), each side by itself; None without pictures."""
        if not self.sizes:
            return None
        quantiles = np.quantile(np.array(self.sizes), [0, 0.5, 1], axis=0)
        return [tuple(int(side) for side in row) for row in quantiles]


def check_data(data, on_read=None):
    """Reads all pictures.

    Args:
        data: `sources.Data`.
        on_read: called without arguments after each picture.

    Returns: `DataReport`
    """
    report = DataReport(data.classes)
    seen, names = defaultdict(list), defaultdict(set)
    for part, source in ((TRAIN, data.train), (HELD_OUT, data.held_out), (TEST, data.test)):
        if source is None:
            continue
        counts = report.counts.setdefault(part, Counter())
        for index, (size, digest, problem) in enumerate(_look_at_all(source)):
            name, label = source.name(index), source.label(index)
            names[f"{data.classes[label]}/{PurePath(name).name}"].add(part)
            if problem is None:
                counts[label] += 1
                report.sizes.append(size)
                seen[digest].append((part, label, name))
            else:
                report.unreadable.append((name, problem))
            if on_read is not None:
                on_read()
    report.copies = [group for group in seen.values() if len(group) > 1]
    report.repeated_names = sorted(name for name, parts in names.items() if len(parts) > 1)
    return report


def _look_at_all(source):
    """Yields (size, digest of the pixels, None) or (None, None, problem) in order."""

    def look(index):
        try:
            picture = source.read(index)
        except UnreadableImage as error:
            return None, None, str(error)
        digest = hashlib.blake2b(np.ascontiguousarray(picture).tobytes(), digest_size=16)
        digest.update(str(picture.shape).encode())
        return picture.shape[:2], digest.digest(), None

    # Threads do here: nearly all of the time is in decoders, which let Python go on.
    with ThreadPoolExecutor(default_workers()) as executor:
        step = 256  # so many results wait at most
        for start in range(0, len(source), step):
            yield from executor.map(look, range(start, min(start + step, len(source))))
