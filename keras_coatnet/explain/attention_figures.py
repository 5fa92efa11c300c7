"""Attention over the picture: every head of a layer from one point, and all layers rolled out."""

import numpy as np

from keras_coatnet.explain.attention import attention_maps, attention_rollout
from keras_coatnet.explain.figure import bare, new_figure, show_heat, show_picture, stretched
from keras_coatnet.explain.overlay import enlarge, shown_picture, window_on
from keras_coatnet.images.arrays import as_rgb

COLUMNS = 5
PANEL = 1.9


def draw_attention(model, image, point=None, pattern="*"):
    """What every head of an attention layer looks at from a point of the picture.

    Args:
        model: with attention layers of this package.
        image: one picture, of all kinds that `preprocess_input` takes.
        point: (y, x) in shares of what the model sees, from (0, 0), top left, to (1, 1); None shows what is looked at
            overall.
        pattern: of the layers' names; the last one that matches is drawn.

    Returns: matplotlib figure.
    Raises: ValueError for a point outside the picture, and what `attention_maps` raises.
    """
    check_point(point)
    seen = seen_part(model, image)
    (name, found), *_ = reversed(attention_maps(model, image, pattern).items())
    heats, at = _heats(found, point)
    figure, panels = _panels(1 + len(heats), seen.shape)
    show_picture(panels[0], seen, name.removesuffix("/attention"))
    signed = bool((heats < 0).any())
    for number, (axes, heat) in enumerate(zip(panels[1:], heats, strict=False), 1):
        heat = stretched(enlarge(heat, seen.shape[:2]), signed)
        show_heat(axes, seen, heat, f"head {number}", signed=signed)
    if at is not None:
        for axes in panels[: 1 + len(heats)]:
            mark(axes, at, seen.shape, found.sides)
    return figure


def _heats(found, point):
    """(what each head looks at (heads, H, W), (row, column) it is looked at from or None)."""
    if point is None:
        return np.asarray(found.overall())[0], None
    at = tuple(min(int(share * side), side - 1) for share, side in zip(point, found.sides, strict=True))
    return np.asarray(found.from_pixel(*at))[0], at


def check_point(point):
    """Raise a ValueError unless a point is None or two shares of a picture."""
    if point is None:
        return
    shares = tuple(point)
    if len(shares) != 2 or not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"point must be (y, x), both from 0 to 1, or None; got {point!r}.")


def draw_rollout(model, image, pattern="*"):
    """A picture and how much of it reaches the last map through all attention layers.

    Args:
        model: with layers whose attention is a map of pairs of pixels.
        image: one picture, of all kinds that `preprocess_input` takes.
        pattern: of the layers' names.

    Returns: matplotlib figure.
    Raises: what `attention_rollout` raises.
    """
    seen = seen_part(model, image)
    (reached,) = attention_rollout(model, image, pattern)
    heat = stretched(enlarge(reached, seen.shape[:2]))
    figure, panels = _panels(2, seen.shape, panel=3.2)
    show_picture(panels[0], seen)
    show_heat(panels[1], seen, heat, "attention rollout")
    return figure


def seen_part(model, image):
    """The part of a picture that a model sees, no larger than a figure shows it: (H, W, 3) bytes."""
    picture = as_rgb(image)
    top, left, bottom, right = window_on(picture.shape[:2], model)
    return shown_picture(picture[top:bottom, left:right], longest=512)


def mark(axes, at, shape, sides):
    """A frame around the pixel of a map, in a panel that shows a picture of `shape`."""
    from matplotlib.patches import Rectangle

    height, width = (length / side for length, side in zip(shape[:2], sides, strict=True))
    corner = at[1] * width - 0.5, at[0] * height - 0.5
    axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor="black", linewidth=2.4))
    axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor="white", linewidth=1.2))


def _panels(count, shape, panel=PANEL):
    columns = min(count, COLUMNS)
    rows = -(-count // columns)
    height = panel * shape[0] / shape[1]
    figure = new_figure(columns * panel, rows * (height + 0.25))
    panels = np.ravel(figure.subplots(rows, columns))
    for axes in panels[count:]:
        bare(axes)
    return figure, panels
