"""Whatever stands for a picture becomes one RGB array, or one clear error."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies
from PIL import Image

from keras_coatnet.images.arrays import as_rgb
from keras_coatnet.images.read import UnreadableImage

pytestmark = pytest.mark.backend_free

HEIGHT, WIDTH = 4, 6


@pytest.fixture
def colours():
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "png")
    return stream.getvalue()


def test_paths_bytes_pil_pictures_and_arrays_are_the_same_picture(tmp_path, colours):
    (tmp_path / "a.png").write_bytes(png(colours))
    forms = [str(tmp_path / "a.png"), tmp_path / "a.png", png(colours), memoryview(png(colours)), colours]
    forms += [Image.fromarray(colours), colours.astype(np.int64), colours.astype(np.uint16)]
    for form in forms:
        result = as_rgb(form)
        assert result.dtype == np.uint8
        np.testing.assert_array_equal(result, colours)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_keep_their_fractions(colours, dtype):
    result = as_rgb(colours.astype(dtype) * dtype(0.5))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, colours * np.float32(0.5))


@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 1)])
def test_gray_arrays_are_repeated_over_the_channels(colours, shape):
    gray = colours[:, :, 0].reshape(shape)
    np.testing.assert_array_equal(as_rgb(gray), np.stack([colours[:, :, 0]] * 3, axis=2))


def test_opacity_of_an_array_is_laid_over_white_as_that_of_a_file(colours):
    opacity = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    opacity[:, :2], opacity[:, 2:4] = 0, 100
    four = np.concatenate([colours, opacity], axis=2)
    np.testing.assert_allclose(as_rgb(four).astype(int), as_rgb(png(four)).astype(int), atol=1)
    np.testing.assert_allclose(as_rgb(four.astype(np.float32)), as_rgb(four), atol=0.51)
    assert (as_rgb(four)[:, :2] == 255).all()


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.zeros((4, 6, 2), np.uint8), ValueError, r"with 1, 3 or 4 channels; got \(4, 6, 2\)"),
        (np.zeros((3, 4, 6), np.uint8), ValueError, r"got \(3, 4, 6\)"),
        (np.zeros((0, 6, 3), np.uint8), ValueError, r"got \(0, 6, 3\)"),
        (np.zeros(5, np.uint8), ValueError, r"got \(5, 1\)|got \(5,\)"),
        (np.full((4, 6, 3), 256), ValueError, "within 0 to 255; got 256 to 256"),
        (np.full((4, 6, 3), -1.0), ValueError, "within 0 to 255; got -1 to -1"),
        (np.full((4, 6, 3), np.nan), ValueError, "within 0 to 255; got nan to nan"),
        (np.full((4, 6, 3), 0.5), ValueError, "looks like 0 to 1: multiply it by 255"),
        (np.full((4, 6, 3), "a"), ValueError, "must hold integers or floats; got <U1"),
        (np.zeros((4, 6, 3), bool), ValueError, "must hold integers or floats; got bool"),
        (7, TypeError, "a path, the bytes of a file, a PIL picture or an array; got int"),
        (None, UnreadableImage, "the value is missing"),
        (b"", UnreadableImage, "image bytes: the file is empty"),
        (b"GIF89a", UnreadableImage, "image bytes: "),
    ],
)
def test_what_is_no_picture_is_refused(value, error, message):
    with pytest.raises(error, match=message):
        as_rgb(value)


def test_black_floats_are_a_picture():
    assert (as_rgb(np.zeros((2, 3, 3), np.float32)) == 0).all()


@given(
    numpy_strategies.arrays(
        st.sampled_from([np.uint8, np.int16, np.float32, np.bool_]),
        numpy_strategies.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    )
)
def test_any_array_is_a_picture_or_a_value_error(array):
    try:
        result = as_rgb(array)
    except ValueError:
        return
    assert result.shape == (*array.shape[:2], 3)
    assert result.dtype in (np.uint8, np.float32)
