"""Learned positions as pictures: what a head adds for every offset between two pixels."""

import fnmatch

from keras_coatnet.explain.gradients import as_numpy
from keras_coatnet.explain.taps import all_layers


def position_biases(model, pattern="*", sides=None):
    """What every head of a model's layers has learned about the offset between two pixels.

    Args:
        model: any with layers of this package that know positions.
        pattern: of the layers' names, such as "stage3*".
        sides: (H, W) of the maps; None is each layer's own. Needed where a network says the biases and sides are open.

    Returns: {"stage3_block1/attention/relative_position_bias": float32 (heads, 2H-1, 2W-1), ...}: at [:, H-1+y, W-1+x]
        the bias for a pixel that reads from the one y rows above and x columns left of it. Of convolutional positions,
        the windows of the heads, (heads, side, side).
    Raises: ValueError for no layer of that name, or for sides that are open.
    """
    layers = {layer.path: layer for layer in all_layers(model) if hasattr(layer, "offset_values")}
    chosen = sorted(path for path in layers if fnmatch.fnmatchcase(path, pattern))
    if not chosen:
        known = ", ".join(sorted(layers)) or "none"
        raise ValueError(f"No layer of {model.name!r} that knows positions matches {pattern!r}. Such layers: {known}.")
    return {path: as_numpy(layers[path].offset_values(sides)) for path in chosen}
