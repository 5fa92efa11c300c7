"""A picture, what in it speaks for a class, and how sure the model is: one figure."""

import textwrap

from keras_coatnet.explain.figure import ACCENT, INK, PALE, new_figure, show_heat, show_picture
from keras_coatnet.explain.grad_cam import GradCAM
from keras_coatnet.explain.overlay import on_picture, shown_picture, window_on
from keras_coatnet.images.arrays import as_rgb
from keras_coatnet.prediction.answers import most_probable

# Inches.
PICTURE_HEIGHT, NARROWEST, WIDEST, BARS_WIDTH = 3.2, 1.6, 4.8, 3.6
# Of the distance between two bars.
BAR_HEIGHT = 0.34
LABEL_WIDTH = 34


def draw_class_evidence(model, image, target=None, stage=None, *, top=5, labels=None):
    """A picture, its Grad-CAM and the most probable classes.

    Args:
        model: classifier, or a `GradCAM` of it, which is quicker for many pictures and has its own stage and labels.
        image: one picture, of all kinds that `preprocess_input` takes.
        target: the class to look for: name, WordNet id or number; None is the most probable one.
        stage, labels: see `GradCAM`.
        top: how many classes are named.

    Returns: matplotlib figure; `figure.savefig("cat.png")` writes it.
    Raises: what `GradCAM` and its call raise.
    """
    explainer = model if isinstance(model, GradCAM) else GradCAM(model, stage, labels=labels)
    picture = as_rgb(image)
    evidence = explainer([picture], target)
    return draw_evidence(explainer, picture, evidence, top)


def draw_evidence(explainer, picture, evidence, top=5):
    """The figure of `draw_class_evidence` for what a `GradCAM` has said.

    Args:
        explainer: the `GradCAM`.
        picture: (H, W, 3).
        evidence: its `Evidence` of this picture.
        top: how many classes are named.
    """
    number = int(evidence.classes[0])
    name, probability = short_label(explainer.names[number]), evidence.probabilities[0, number]
    shown = shown_picture(picture)
    height, width = shown.shape[:2]
    # Neither a panorama nor a tall picture takes the bars' place.
    panel = min(max(PICTURE_HEIGHT * width / height, NARROWEST), WIDEST)
    figure = new_figure(2 * panel + BARS_WIDTH, PICTURE_HEIGHT + 0.35)
    plain, heated, bars = figure.subplots(1, 3, width_ratios=(panel, panel, BARS_WIDTH))
    show_picture(plain, shown)
    model = explainer.classifier.model
    heat = on_picture(evidence.heat[0], (height, width), model)
    show_heat(heated, shown, heat, f"{name}, {probability:.1%}", window=window_on((height, width), model))
    draw_bars(bars, most_probable(evidence.probabilities[0], top, explainer.names), explainer.names[number])
    return figure


def draw_bars(axes, guesses, looked_for=None):
    """A bar a guess with its label above it; that of the class that was looked for in another colour."""
    for row, guess in enumerate(guesses):
        same = looked_for is not None and (guess.wnid, guess.label) == tuple(looked_for)
        axes.barh(row, 1, BAR_HEIGHT, color="#eef1f4")
        axes.barh(row, guess.probability, BAR_HEIGHT, color=ACCENT if same else PALE)
        axes.text(0, row - 0.3, short_label(guess), va="bottom", fontsize=9, color=INK)
        axes.text(1, row - 0.3, f"{guess.probability:.1%}", va="bottom", ha="right", fontsize=9, color=INK)
    axes.set_xlim(0, 1)
    axes.set_ylim(max(len(guesses), 3) - 0.5, -0.9)
    axes.set_axis_off()


def short_label(guess):
    """The first of WordNet's lemmas, or a label of one's own; cut to what fits over a bar."""
    label = guess.label if guess.wnid is None else guess.label.split(",")[0]
    return textwrap.shorten(label, LABEL_WIDTH, placeholder="…") if " " in label else label[:LABEL_WIDTH]
