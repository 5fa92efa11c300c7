"""What figures show: read off their panels, and off the pixels of one that is drawn."""

import io

import numpy as np
import pytest
from coat_twins import filled as coat
from explained_models import LABELS, coatnet, corner_reader, noise
from PIL import Image

from keras_coatnet import explain

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture(scope="module")
def model():
    return coatnet()


def drawn(figure):
    """The figure's pixels."""
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return np.asarray(Image.open(content).convert("RGB"))


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def texts(axes):
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("sides", [(40, 60), (60, 9), (5, 200)], ids=["photograph", "tall", "panorama"])
def test_class_figure_names_the_best_classes_and_the_one_it_is_about(sides):
    explainer = explain.GradCAM(corner_reader(), "map", labels=LABELS[:3])
    figure = explain.draw_class_evidence(explainer, noise(sides), "dog", top=2)
    picture, heat, bars = figure.axes
    answers = explainer(noise(sides), "dog").probabilities[0]
    assert heat.get_title() == f"dog, {answers[1]:.1%}"
    assert texts(bars) == [
        text for index in np.argsort(-answers)[:2] for text in (LABELS[index], f"{answers[index]:.1%}")
    ]
    np.testing.assert_array_equal(picture.images[0].get_array(), noise(sides))
    pixels = drawn(figure)
    assert 400 < pixels.shape[0] < 700
    assert 700 < pixels.shape[1] < 2200


def test_class_figure_lights_the_corner_that_is_read():
    figure = explain.draw_class_evidence(corner_reader(), noise((80, 100)), 1, "map")
    opacity = np.asarray(figure.axes[1].images[1].get_array())[..., 3]
    assert opacity.shape == (80, 100)
    assert opacity[:15, :25].max() > 0.7
    assert opacity[40:].max() == opacity[:, 60:].max() == 0


def test_every_head_is_shown_from_the_chosen_point(model):
    figure = explain.draw_attention(model, noise(), (0.0, 1.0), "stage2*")
    assert titles(figure) == ["stage2_block1", "head 1", "head 2"]
    frame = figure.axes[1].patches[0]
    # The last of 6 columns, the first of 4 rows.
    width = figure.axes[0].images[0].get_array().shape[1]
    assert frame.get_xy() == pytest.approx((width * 5 / 6 - 0.5, -0.5))
    assert drawn(figure).std() > 5


def test_signed_attention_of_a_coat_is_shown_in_one_scale():
    figure = explain.draw_attention(coat("coat_lite_mini"), noise(), (0.5, 0.5), "stage3*")
    assert titles(figure)[1:9] == [f"head {number}" for number in range(1, 9)]
    assert len(explain.draw_attention(coat("coat_lite_mini"), noise()).axes[1].patches) == 0


@pytest.mark.parametrize("point", [(0.5,), (1.2, 0.5), (0, -1)])
def test_point_outside_the_picture_is_refused(model, point):
    with pytest.raises(ValueError, match=r"point must be \(y, x\), both from 0 to 1, or None; got \("):
        explain.draw_attention(model, noise(), point)


def test_rollout_is_shown_beside_the_picture(model):
    figure = explain.draw_rollout(model, noise())
    assert titles(figure) == ["", "attention rollout"]
    assert figure.axes[1].images[1].get_array()[..., 3].max() == pytest.approx(0.8)


def test_position_biases_are_seen_from_the_pixel_in_the_middle(model):
    figure = explain.draw_position_biases(model, "stage2*")
    (values,) = explain.position_biases(model, "stage2*").values()
    name, first, second = figure.axes
    assert texts(name) == [f"stage2_block1\n±{np.abs(values).max():.2g}"]
    np.testing.assert_allclose(first.images[0].get_array(), values[0, ::-1, ::-1])
    assert second.get_title() == "head 2"
    assert first.images[0].get_clim() == pytest.approx((-np.abs(values).max(), np.abs(values).max()))


def test_all_heads_are_shown_however_many(monkeypatch, model):
    monkeypatch.setattr("keras_coatnet.explain.map_figures.COLUMNS", 1)
    figure = explain.draw_position_biases(model, "stage2*")
    assert [title for title in titles(figure) if title] == ["head 1", "head 2"]


def test_stage_figure_has_a_row_a_stage(model):
    figure = explain.draw_stage_maps(model, noise(), channels=2)
    rows = [text for axes in figure.axes for text in texts(axes)]
    assert rows == ["stem\n16 x 24", "stage1\n8 x 12", "stage2\n4 x 6", "stage3\n2 x 3"]
    assert sum(len(axes.images) for axes in figure.axes) == 1 + 4 * 3
