"""Pairs of pictures in one: MixUp, arXiv 1710.09412, and CutMix, arXiv 1905.04899; and what labels become."""

from dataclasses import dataclass

import numpy as np

SCOPES = ("image", "batch")


@dataclass(frozen=True)
class BatchMix:
    """Mixes each picture of a batch with its partner, the one as far from the other end.

    Batches are in random order, so the partner is a random picture; unlike under a random permutation, no picture but
    the middle one of an odd batch is its own.

    Args:
        mixup_alpha, cutmix_alpha: of the Beta distribution of shares; 0 switches that mixing off. Where both are on,
            each batch gets one of them.
        mixup_each, cutmix_each: "image" draws a share for each picture, "batch" one for all.
        probability: that a batch is mixed at all.
        cutmix_share: of CutMix among mixed batches, where both are on.
    """

    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0
    mixup_each: str = "image"
    cutmix_each: str = "batch"
    probability: float = 1.0
    cutmix_share: float = 0.5

    def __call__(self, images, labels, generator, places=None, count=None):
        """A mixed batch, or the same part of it that it would be in the whole.

        Args:
            images, labels: of the batch, or of a part of it.
            generator: `numpy.random.Generator`; whatever the part, the draws are those of the whole batch.
            places: int (N,), of a part's pictures in the batch, partners as far from its ends as in the batch; None is
                the whole batch.
            count: pictures of the batch; None is all there are.

        Shapes: float32 (N, H, W, C) and (N, classes), rows that sum to 1 -> the same
        """
        if not (self.mixup_alpha or self.cutmix_alpha) or generator.random() >= self.probability:
            return images, labels
        count = len(images) if count is None else count
        places = slice(None) if places is None else places
        cuts = self.cutmix_alpha and (not self.mixup_alpha or generator.random() < self.cutmix_share)
        if cuts:
            shares = _draw_shares(self.cutmix_alpha, self.cutmix_each, count, generator)
            boxes = draw_boxes(*images.shape[1:3], shares, generator, same_box=self.cutmix_each == "batch")
            return cutmix(images, labels, boxes[places])
        return mixup(images, labels, _draw_shares(self.mixup_alpha, self.mixup_each, count, generator)[places])


def _draw_shares(alpha, each, count, generator):
    """How much of each picture stays.

    Shapes: -> float32 (count,)
    """
    shares = generator.beta(alpha, alpha, size=count if each == "image" else 1)
    return np.broadcast_to(shares.astype(np.float32), (count,))


def mixup(images, labels, shares):
    """Each picture and label, times its share, plus the rest of its partner's.

    Shapes: (N, H, W, C), (N, classes), (N,) -> (N, H, W, C), (N, classes)
    """
    kept = shares.reshape(-1, 1, 1, 1)
    mixed = images * kept
    mixed += images[::-1] * (1 - kept)
    return mixed, _mixed_labels(labels, shares)


def cutmix(images, labels, boxes):
    """A rectangle of each partner laid over each picture; labels follow the area that really came over.

    Shapes: (N, H, W, C), (N, classes), (N, 4) -> (N, H, W, C), (N, classes)
    """
    mixed, height, width = images.copy(), *images.shape[1:3]
    kept = np.empty(len(images), np.float32)
    for index, (top, left, bottom, right) in enumerate(boxes.tolist()):
        mixed[index, top:bottom, left:right] = images[-1 - index, top:bottom, left:right]
        kept[index] = 1 - (bottom - top) * (right - left) / (height * width)
    return mixed, _mixed_labels(labels, kept)


def draw_boxes(height, width, shares, generator, same_box=False):
    """A `cutmix_box` for each share; the first one's for all with `same_box`.

    Shapes: (N,) -> int (N, 4)
    """
    if same_box:
        return np.tile(cutmix_box(height, width, shares[0], generator), (len(shares), 1))
    return np.array([cutmix_box(height, width, share, generator) for share in shares])


def cutmix_box(height, width, share, generator):
    """(top, left, bottom, right) around a random centre, of the picture's aspect, cut off at its edges.

    Args:
        height, width: of the picture.
        share: what the box would leave of the picture if none of it were cut off.
        generator: `numpy.random.Generator`.
    """
    side = np.sqrt(1 - share)
    box_height, box_width = int(height * side), int(width * side)
    y, x = int(generator.integers(height)), int(generator.integers(width))
    top, left = max(0, y - box_height // 2), max(0, x - box_width // 2)
    bottom, right = min(height, y + (box_height + 1) // 2), min(width, x + (box_width + 1) // 2)
    return top, left, bottom, right


def _mixed_labels(labels, shares):
    kept = shares[:, np.newaxis]
    return labels * kept + labels[::-1] * (1 - kept)


def smooth_labels(labels, smoothing):
    """One-hot rows with a share spread evenly over all classes; rows still sum to 1.

    It is done to the labels, not by the loss: Keras' binary cross-entropy would take `smoothing / 2` for every class.

    Shapes: (N, classes) -> float32 (N, classes)
    """
    return labels * np.float32(1 - smoothing) + np.float32(smoothing / labels.shape[1])


def one_hot(labels, classes):
    """Rows of zeros and a one.

    Shapes: int (N,) -> float32 (N, classes)
    """
    rows = np.zeros((len(labels), classes), np.float32)
    rows[np.arange(len(labels)), labels] = 1
    return rows


def above_threshold(labels, threshold):
    """1 for every class with more than `threshold`, else 0: what a binary loss is given for mixed pictures.

    Shapes: (N, classes) -> float32 (N, classes)

    Source: "ResNet strikes back", arXiv 2110.00476; keras_cv_attention_models takes 0.2.
    """
    return (labels > threshold).astype(np.float32)
