"""The models that a page offers, and the one that it holds."""

import threading

from keras_coatnet.explain.grad_cam import GradCAM
from keras_coatnet.prediction.default_model import load_default
from keras_coatnet.prediction.load import load
from keras_coatnet.weights.cache import CacheError
from keras_coatnet.weights.download.fetch import find_cached, readable_files
from keras_coatnet.weights.in_package import path_in_package
from keras_coatnet.weights.manifest import load_manifest

LAST_STAGE = "last"


class Models:
    """Named models of which one is held; a page's users take turns.

    Args:
        sources: {name as it is shown: (model, weights) as `load` takes them, or (None, None) for the default model},
            the first one being the page's own.
    """

    def __init__(self, sources):
        self.sources = dict(sources)
        self._turn = threading.Lock()
        self._name = self._model = self._labels = None
        self._explainers = {}

    def explain(self, name, stage, picture, target=None):
        """What a model answers to a picture, and where it saw it.

        Args:
            name: of one of `sources`.
            stage: as `GradCAM` takes it, or "last".
            picture: (H, W, 3).
            target: number of a class; None is the most probable one.

        Returns: (`GradCAM`, its `Evidence`).
        Raises: what `load`, `GradCAM` and its call raise.
        """
        with self._turn:
            explainer = self._explainer(name, None if stage == LAST_STAGE else stage)
            return explainer, explainer([picture], target)

    def _explainer(self, name, stage):
        self._hold(name)
        if stage not in self._explainers:
            self._explainers[stage] = GradCAM(self._model, stage, labels=self._labels)
        return self._explainers[stage]

    def _hold(self, name):
        if name != self._name:
            # One at a time: what was held is freed before the next is loaded.
            self._name = self._model = self._labels = None
            self._explainers = {}
            model, weights = self.sources[name]
            self._model, self._labels = load_default() if model is None else load(model, weights)
            self._name = name


def cached_models():
    """Released weights that are in the cache or come with the package: {name: (variant, tag)}."""
    return {row.name: (row.variant, row.tag) for row in load_manifest() if _is_here(row)}


def _is_here(row):
    if path_in_package(row) is not None:
        return True
    try:
        path, _ = find_cached(row, readable_files(row), verify=False)
    except CacheError:
        return False
    return path is not None
