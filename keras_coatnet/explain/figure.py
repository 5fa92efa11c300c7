"""The look of all figures: pictures in panels, heat over them, one kind of ink."""

import numpy as np

INK, PALE, ACCENT = "#1f2933", "#9aa5b1", "#2f6f9f"
DOTS_PER_INCH = 150
# Of the hottest pixel; colder ones let more of the picture through.
LARGEST_OPACITY = 0.8
# How much colour a picture keeps under heat.
COLOUR_LEFT = 0.35
# How much of a picture is left where the model does not look, the rest is white.
OUTSIDE_LEFT = 0.45


def new_figure(width, height):
    """An empty matplotlib figure of so many inches; it belongs to no window and to no notebook's list of figures."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")


def show_picture(axes, picture, title=None):
    """A picture in a panel without axes; a title above it."""
    axes.imshow(picture, interpolation="bilinear")
    bare(axes, title)


def show_heat(axes, picture, heat, title=None, *, signed=False, window=None):
    """Heat over a picture, both of the same sides.

    Args:
        axes: panel.
        picture: (H, W, 3) bytes.
        heat: (H, W), from 0 to 1.
        title: above it.
        signed: heat is from -1 to 1 instead, blue below zero.
        window: (top, left, bottom, right) of the part that was looked at; the rest is paler. None is all.
    """
    under = faded(picture)
    if window is not None:
        top, left, bottom, right = window
        seen = under[top:bottom, left:right].copy()
        under = (255 - (255 - under) * OUTSIDE_LEFT).astype(np.uint8)
        under[top:bottom, left:right] = seen
    axes.imshow(under, interpolation="bilinear")
    axes.imshow(coloured(heat, signed), interpolation="bilinear")
    bare(axes, title)


def bare(axes, title=None):
    """No ticks, no frame; a title in small ink."""
    axes.set_axis_off()
    if title is not None:
        axes.set_title(title, fontsize=9, color=INK)


def faded(picture):
    """A picture with little colour, so that colours over it are the heat's."""
    gray = picture @ np.array([0.299, 0.587, 0.114])
    return np.round(COLOUR_LEFT * picture + (1 - COLOUR_LEFT) * gray[..., np.newaxis]).astype(np.uint8)


def coloured(heat, signed=False):
    """Heat as colours with an opacity, see `show_heat`. Shapes: (H, W) -> (H, W, 4)"""
    from matplotlib import colormaps

    colours = colormaps["RdBu_r"](heat / 2 + 0.5) if signed else colormaps["turbo"](0.15 + 0.8 * heat)
    colours[..., 3] = LARGEST_OPACITY * np.sqrt(np.abs(heat))
    return colours


def stretched(values, signed=False):
    """Values as `show_heat` takes them: from the smallest to the largest; over the largest, where a sign is kept."""
    values = values if signed else values - values.min()
    largest = np.abs(values).max()
    return values / largest if largest > 0 else values
