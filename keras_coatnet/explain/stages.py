"""Which layer a stage stands for, and the maps of all stages."""

import difflib

from keras_coatnet import registry
from keras_coatnet.explain.gradients import as_numpy
from keras_coatnet.explain.taps import all_layers
from keras_coatnet.prediction.inputs import preprocess_input

STEM = "stem"


def find_layer(model, stage):
    """The layer whose map is looked at.

    Args:
        model: of this package, one with such a model inside, or any other where `stage` names a layer.
        stage: number of a stage, 0 being the stem; its name, "stage3"; the name of any layer that gives a map; None is
            the last stage.

    Raises: ValueError for a stage that is not there, with those that are.
    """
    layers = all_layers(model)
    stages = _stages_of([model, *layers])
    if stage is None and stages:
        return _named(layers, list(stages.values())[-1])
    name = {0: STEM}.get(stage, f"stage{stage}") if isinstance(stage, int) else stage
    found = None if name is None else _named(layers, stages.get(name, name))
    if found is None:
        known = ", ".join(map(repr, stages)) or "none, since it is no model of this package"
        names = [layer.name for layer in layers]
        nearest = difflib.get_close_matches(str(stage), names, n=2)
        hint = f" Nearest layers: {', '.join(map(repr, nearest))}." if nearest else ""
        raise ValueError(
            f"stage must be the number or name of a stage, or the name of a layer; got {stage!r}. "
            f"Stages of {model.name!r}: {known}.{hint}"
        )
    return found


def _stages_of(models):
    """{stage: name of its layer} of the first of these that has stages."""
    own = next((each for each in models if getattr(each, "deciding_layers", None)), None)
    return {} if own is None else own.deciding_layers


def _named(layers, name):
    return next((layer for layer in layers if name in (layer.path, layer.name)), None)


def stage_maps(model, images):
    """What the stem and every stage give for pictures.

    Args:
        model: of this package.
        images: one picture or several, of all kinds that `preprocess_input` takes.

    Returns: {"stem" (a CoaT has none): float32 (N, H, W, C), "stage1": ...}
    Raises:
        UnreadableImage: a file cannot be read.
        ValueError: a model without a spec, or an array that is no picture.
    """
    if not hasattr(model, "stage_tensors"):
        raise ValueError(f"Only models of this package have stages; {model.name!r} is a {type(model).__name__}.")
    maps = registry.stage_outputs(model).predict_on_batch(preprocess_input(images, model))
    return dict(zip(model.deciding_layers, as_numpy(maps), strict=True))
