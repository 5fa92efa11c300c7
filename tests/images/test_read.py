"""Any file a user has becomes upright RGB bytes, or one clear error."""

import re

import numpy as np
import pytest
from PIL import Image

from keras_coatnet.images.read import UnreadableImage, read_image, to_rgb

pytestmark = pytest.mark.backend_free

HEIGHT, WIDTH = 6, 10
ORIENTATION = 0x0112


@pytest.fixture
def colours():
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "tga", "gif"])
def test_lossless_formats_keep_every_pixel(tmp_path, colours, suffix):
    if suffix == "gif":
        colours = colours // 128 * 255  # a palette holds these eight colours exactly
    Image.fromarray(colours).save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}"), colours)


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda a: a),
        (2, np.fliplr),
        (3, lambda a: np.rot90(a, 2)),
        (4, np.flipud),
        (5, lambda a: a.swapaxes(0, 1)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: np.rot90(a, 2).swapaxes(0, 1)),
        (8, lambda a: np.rot90(a, 1)),
    ],
)
def test_exif_orientation_is_applied(tmp_path, colours, orientation, turned):
    picture = Image.fromarray(colours)
    exif = picture.getexif()
    exif[ORIENTATION] = orientation
    picture.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), turned(colours))


def test_grayscale_is_repeated_over_the_channels(colours):
    gray = colours[:, :, 0]
    np.testing.assert_array_equal(to_rgb(Image.fromarray(gray)), np.stack([gray] * 3, axis=2))


def test_two_level_picture_becomes_black_and_white(colours):
    black_or_white = colours[:, :, 0] > 128
    expected = np.stack([black_or_white * np.uint8(255)] * 3, axis=2)
    np.testing.assert_array_equal(to_rgb(Image.fromarray(black_or_white)), expected)


def test_transparent_pixels_show_white_paper(colours):
    alpha = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
    alpha[:, :4] = 255
    result = to_rgb(Image.fromarray(np.concatenate([colours, alpha], axis=2)))
    np.testing.assert_array_equal(result[:, :4], colours[:, :4])
    assert (result[:, 4:] == 255).all()


def test_transparent_palette_entry_shows_white_paper(tmp_path):
    picture = Image.new("P", (WIDTH, HEIGHT), 1)
    picture.putpalette([200, 0, 0, 0, 150, 0])
    picture.paste(0, (0, 0, 3, HEIGHT))
    picture.save(tmp_path / "a.png", transparency=1)
    result = read_image(tmp_path / "a.png")
    assert (result[:, :3] == (200, 0, 0)).all()
    assert (result[:, 3:] == 255).all()


def test_cmyk_becomes_rgb(tmp_path):
    Image.new("CMYK", (WIDTH, HEIGHT), (0, 255, 255, 0)).save(tmp_path / "a.tif")  # no cyan, no black: red
    result = read_image(tmp_path / "a.tif")
    assert result.shape == (HEIGHT, WIDTH, 3)
    assert (result == (255, 0, 0)).all()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_scaled_not_clipped(tmp_path, suffix):
    values = np.array([[0, 257, 128 * 257], [200 * 257, 254 * 257 + 130, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}")[:, :, 0], [[0, 1, 128], [200, 255, 255]])


def test_first_frame_of_an_animation_is_read(tmp_path):
    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (read_image(tmp_path / "a.gif") == (255, 0, 0)).all()


def test_one_pixel_is_a_picture(tmp_path):
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), [[[1, 2, 3]]])


def test_result_is_writable(tmp_path):
    Image.new("RGB", (2, 1)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").flags.writeable


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (Image.fromarray(np.array([[0.5, 2.0]], np.float32)), "floating-point pixels have no known range"),
        (Image.fromarray(np.array([[0, 70000]], np.int32)), r"from 0 to 70000.*0 to 65535"),
        (Image.fromarray(np.array([[-1, 5]], np.int32)), r"from -1 to 5"),
    ],
)
def test_pixels_without_a_known_range_are_refused(picture, message):
    with pytest.raises(UnreadableImage, match=message):
        to_rgb(picture)


def unreadable_file(folder, kind):
    path = folder / "a.jpg"
    if kind == "truncated":
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:2000])
    elif kind == "text":
        path.write_text("no picture")
    elif kind == "empty":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "No such file"),
        ("folder", "Is a directory"),
        ("empty", "the file is empty"),
        ("text", "not a picture"),
        ("truncated", "truncated"),
    ],
)
def test_unreadable_file_is_named_with_the_reason(tmp_path, kind, reason):
    path = unreadable_file(tmp_path, kind)
    with pytest.raises(UnreadableImage, match=f"^{re.escape(str(path))}: .*{reason}"):
        read_image(path)


def test_decompression_bomb_is_refused(tmp_path, monkeypatch):
    Image.new("1", (WIDTH, HEIGHT)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", WIDTH * HEIGHT // 2 - 1)
    with pytest.raises(UnreadableImage, match="decompression bomb"):
        read_image(tmp_path / "a.png")
