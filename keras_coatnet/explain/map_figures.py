"""What a model has learned about positions, and what its stages give, as small pictures."""

import numpy as np

from keras_coatnet.explain.figure import INK, bare, new_figure, show_picture
from keras_coatnet.explain.overlay import enlarge
from keras_coatnet.explain.positions import position_biases
from keras_coatnet.explain.stages import stage_maps

# Inches.
TILE, MAP_WIDTH = 0.95, 1.3
NAME_HEIGHT, NAME_WIDTH, STAGE_NAME_WIDTH = 0.4, 1.3, 0.9
# Of pictures in a row.
COLUMNS = 12


def draw_position_biases(model, pattern="*", sides=None):
    """Every head's learned position bias: a row a layer, a picture a head, red for pixels that it looks at more.

    The pixel that looks is in the middle; the picture shows the bias towards the pixels around it. Each layer has a
    scale of its own, whose ends stand at its name.

    Args:
        model, pattern, sides: see `position_biases`.

    Returns: matplotlib figure.
    Raises: what `position_biases` raises.
    """
    rows = [
        (name, first, values[first : first + COLUMNS], float(np.abs(values).max()) or 1.0)
        for name, values in position_biases(model, pattern, sides).items()
        for first in range(0, len(values), COLUMNS)
    ]
    figure, panels = _grid(len(rows), max(len(pictures) for _, _, pictures, _ in rows), (TILE, TILE), NAME_WIDTH)
    for (name, first, pictures, largest), axes_of_row in zip(rows, panels, strict=True):
        if first == 0:
            _name_row(axes_of_row[0], f"{_block(name)}\n±{largest:.2g}")
        for number, (axes, picture) in enumerate(zip(axes_of_row[1:], pictures, strict=False), first + 1):
            # A bias belongs to the offset from what is read to the reader; seen from the reader, all is turned around.
            axes.imshow(picture[::-1, ::-1], cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest")
            axes.set_title(f"head {number}", fontsize=7, color=INK, pad=2)
    return figure


def draw_stage_maps(model, image, channels=6):
    """What every stage gives for a picture: a row a stage, the mean of all channels, then the liveliest ones.

    Args:
        model: of this package.
        image: one picture, of all kinds that `preprocess_input` takes.
        channels: how many are shown, those with the largest spread over the map.

    Returns: matplotlib figure.
    Raises: what `stage_maps` raises.
    """
    from keras_coatnet.explain.attention_figures import seen_part

    seen = seen_part(model, image)
    rows = {name: _pictures(maps[0], channels) for name, maps in stage_maps(model, image).items()}
    tile = (MAP_WIDTH * seen.shape[0] / seen.shape[1], MAP_WIDTH)
    figure, panels = _grid(len(rows), 2 + channels, tile, STAGE_NAME_WIDTH)
    show_picture(panels[0][1], seen, "picture")
    for (name, pictures), axes_of_row in zip(rows.items(), panels, strict=True):
        _name_row(axes_of_row[0], f"{name}\n{pictures[0].shape[0]} x {pictures[0].shape[1]}")
        for axes, picture in zip(axes_of_row[2:], pictures, strict=False):
            low, high = np.quantile(picture, (0.01, 0.99))
            axes.imshow(enlarge(picture, seen.shape[:2]), cmap="magma", vmin=low, vmax=max(high, low + 1e-6))
    for title, axes in zip(("mean", *["channel"] * channels), panels[0][2:], strict=False):
        axes.set_title(title, fontsize=8, color=INK)
    return figure


def _pictures(x, channels):
    """The mean over channels, then those with the largest spread. Shapes: (H, W, C) -> list of (H, W)"""
    liveliest = np.argsort(-x.std((0, 1)), kind="stable")[:channels]
    return [x.mean(-1), *np.moveaxis(x[..., liveliest], -1, 0)]


def _grid(rows, columns, tile, name_width):
    """A figure with rows of a panel for a name and of tiles (height, width) for pictures, all bare."""
    height, width = tile
    figure = new_figure(name_width + columns * width, rows * (max(height, NAME_HEIGHT) + 0.15) + 0.1)
    panels = figure.subplots(rows, 1 + columns, squeeze=False, width_ratios=(name_width, *[width] * columns))
    for axes in np.ravel(panels):
        bare(axes)
    return figure, panels


def _name_row(axes, text):
    axes.text(1, 0.5, text, ha="right", va="center", fontsize=8, color=INK, transform=axes.transAxes)


def _block(path):
    """The part of a path that tells layers apart."""
    return path.removesuffix("/attention/relative_position_bias").removesuffix("_relative_position")
