"""Heat at its place on a picture."""

import numpy as np
import pytest
from explained_models import coatnet

from keras_coatnet.explain.overlay import enlarge, on_picture, shown_picture, window_on
from keras_coatnet.images.preprocess import Preprocessing

pytestmark = pytest.mark.backend_free


@pytest.fixture(scope="module")
def model():
    return coatnet((32, 32, 3))


@pytest.fixture
def cropping(model, monkeypatch):
    monkeypatch.setattr(model, "preprocessing", Preprocessing(crop=0.5, order="crop_then_resize"), raising=False)
    return model


def test_heat_fills_the_part_that_is_seen_and_nothing_else(cropping):
    heat = on_picture(np.array([[1.0, 0.0], [0.0, 0.0]]), (40, 80), cropping)
    assert window_on((40, 80), cropping) == (10, 30, 30, 50)
    assert heat.shape == (40, 80)
    assert heat[:10].max() == heat[:, :30].max() == heat[30:].max() == heat[:, 50:].max() == 0
    assert np.unravel_index(heat.argmax(), heat.shape) == (10, 30)


def test_enlarged_heat_stays_within_its_range():
    heat = np.random.default_rng(0).random((3, 4)).astype("float32")
    found = enlarge(heat, (30, 50))
    assert found.shape == (30, 50)
    assert heat.min() == found.min()
    assert found.max() <= heat.max()


@pytest.mark.parametrize(
    ("sides", "shown"), [((3000, 1500), (1024, 512)), ((10, 20), (10, 20)), ((1, 9000), (1, 1024))]
)
def test_large_pictures_are_shown_smaller(sides, shown):
    assert shown_picture(np.zeros((*sides, 3), np.uint8)).shape == (*shown, 3)
    assert shown_picture(np.full((*sides, 3), 7.4, np.float32)).dtype == np.uint8
