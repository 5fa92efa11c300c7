"""The model that answers where nobody names one: ImageNet's, or the package's small one where it cannot be had."""

import logging

from keras_coatnet import registry
from keras_coatnet.prediction.load import DEFAULT_WEIGHTS, load
from keras_coatnet.weights.cache import CacheError
from keras_coatnet.weights.download.fetch import DownloadError, fetch, find_cached, readable_files
from keras_coatnet.weights.download.transport import Settings
from keras_coatnet.weights.in_package import path_in_package
from keras_coatnet.weights.manifest import find_rows, load_manifest, nearest_row

logger = logging.getLogger("keras_coatnet")

DEFAULT_VARIANT = "coatnet_0"


def load_default():
    """coatnet_0 of ImageNet-1k; without a network another ImageNet-1k model of the cache, or else the package's own.

    What it falls back to is said in one line.

    Returns: (model, labels), as `load` does.
    Raises: DownloadError where the package has no model either.
    """
    try:
        rows = find_rows(DEFAULT_VARIANT, DEFAULT_WEIGHTS)
        fetch(nearest_row(rows, registry.get_spec(DEFAULT_VARIANT).input_size), settings=Settings(retries=1))
    except DownloadError:
        rows = load_manifest()
        row = next(iter((*filter(is_imagenet_of_the_cache, rows), *filter(path_in_package, rows))), None)
        if row is None:
            raise
    else:
        return load(DEFAULT_VARIANT)
    if path_in_package(row) is None:
        logger.warning("%s cannot be fetched; %s, which is in the cache, answers.", DEFAULT_VARIANT, row.name)
    else:
        logger.warning(
            "%s cannot be fetched and no ImageNet model is in the cache: the small %s that comes with the package "
            "answers, which knows %d classes. Once there is a network, run: keras-coatnet download %s",
            DEFAULT_VARIANT,
            row.variant,
            row.num_classes,
            DEFAULT_VARIANT,
        )
    return registry.build(row.variant, input_shape=(row.input_size, row.input_size, 3), pretrained=row.tag), None


def is_imagenet_of_the_cache(row):
    """Whether a row knows ImageNet-1k's classes and its weights are in the cache and sound."""
    if row.labels != "imagenet-1k":
        return False
    try:
        path, _ = find_cached(row, readable_files(row), verify=False)
    except CacheError:
        return False
    return path is not None
