"""Any file a user has becomes upright RGB bytes, or one clear error."""

import io
import os
import re
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from keras_coatnet.images.read import UnreadableImage, decode_image, read_image, to_rgb

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


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_first_frame_of_an_animation_is_read(tmp_path, suffix):
    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], **options)
    assert (read_image(tmp_path / f"a.{suffix}") == (255, 0, 0)).all()


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "gif", "jpg", "webp"])
def test_one_pixel_is_a_picture(tmp_path, suffix):
    Image.new("RGB", (1, 1), (0, 0, 0)).save(tmp_path / f"a.{suffix}")
    np.testing.assert_allclose(
        read_image(tmp_path / f"a.{suffix}"), [[[0, 0, 0]]], atol=2
    )  # jpg and webp lose a little


@pytest.mark.parametrize("suffix", ["jpg", "tif", "webp"])
def test_exif_orientation_of_other_formats_is_applied_once(tmp_path, suffix):
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    picture.paste("black", (0, 0, WIDTH, HEIGHT // 2))
    exif = picture.getexif()
    exif[ORIENTATION] = 6  # the camera's top is on the right
    picture.save(tmp_path / f"a.{suffix}", exif=exif)
    result = read_image(tmp_path / f"a.{suffix}")
    assert result.shape == (WIDTH, HEIGHT, 3)
    assert result[:, HEIGHT // 2 + 1 :].max() < 60
    assert result[:, : HEIGHT // 2 - 1].min() > 195


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_nonsense_in_the_orientation_is_passed_over(tmp_path, colours, orientation):
    picture = Image.fromarray(colours)
    exif = picture.getexif()
    exif[ORIENTATION] = orientation
    picture.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), colours)


def test_damaged_exif_leaves_the_pixels_readable(colours, monkeypatch):
    def broken(self):
        raise SyntaxError("not a TIFF file")

    monkeypatch.setattr(Image.Image, "getexif", broken)
    np.testing.assert_array_equal(to_rgb(Image.fromarray(colours)), colours)


@pytest.mark.parametrize("mode", ["LA", "RGBa", "PA", "LAB", "YCbCr", "HSV", "RGBX", "1", "L", "P", "CMYK", "I;16"])
def test_every_mode_of_pil_becomes_rgb(mode):
    result = to_rgb(Image.new(mode, (WIDTH, HEIGHT)))
    assert result.shape == (HEIGHT, WIDTH, 3)
    assert result.dtype == np.uint8


def test_gray_with_opacity_shows_white_paper():
    picture = Image.new("LA", (WIDTH, HEIGHT), (100, 255))
    picture.paste((0, 0), (0, 0, 3, HEIGHT))
    result = to_rgb(picture)
    assert (result[:, :3] == 255).all()
    assert (result[:, 3:] == 100).all()


def test_cmyk_jpeg_of_a_print_shop_is_not_inverted(tmp_path):
    Image.new("CMYK", (WIDTH, HEIGHT), (0, 0, 0, 0)).save(tmp_path / "a.jpg")  # no ink at all: white paper
    assert read_image(tmp_path / "a.jpg").min() > 250


def test_result_is_writable(tmp_path):
    Image.new("RGB", (2, 1)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").flags.writeable


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (Image.fromarray(np.array([[0.5, 2.0]], np.float32)), "floating-point pixels have no known range"),
        (Image.fromarray(np.array([[0, 70000]], np.int32)), r"from 0 to 70000.*0 to 65535"),
        (Image.fromarray(np.array([[-1, 5]], np.int32)), r"from -1 to 5"),
        (Image.new("La", (2, 3)), "mode 'La' cannot be turned into RGB"),
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
        ("folder", "is a folder"),
        ("empty", "the file is empty"),
        ("text", "not a picture"),
        ("truncated", "truncated"),
    ],
)
def test_unreadable_file_is_named_with_the_reason(tmp_path, kind, reason):
    path = unreadable_file(tmp_path, kind)
    with pytest.raises(UnreadableImage, match=f"^{re.escape(str(path))}: .*{reason}"):
        read_image(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(UnreadableImage, match=r"a\.jpg: is no regular file"):
        read_image(tmp_path / "a.jpg")


def test_drawing_programs_are_not_run(tmp_path):
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.jpg")
    with pytest.raises(UnreadableImage, match="EPS is a drawing program"):
        read_image(tmp_path / "a.jpg")


def encoded(suffix, picture):
    stream = io.BytesIO()
    picture.save(stream, {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix))
    return stream.getvalue()


def read_or_refuse(data):
    """A damaged file is a picture or one clear error; nothing else."""
    try:
        result = decode_image(data, "damaged")
    except UnreadableImage as error:
        message = str(error)
    else:
        message = "damaged: no"
        assert result.dtype == np.uint8
        assert result.ndim == 3
    assert re.match(r"damaged: \S", message)


FORMATS = ["png", "jpg", "gif", "webp", "bmp", "tif", "tga", "ppm"]
ENCODED = {
    suffix: encoded(suffix, Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)))
    for suffix in FORMATS
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # PIL warns of what it finds wrong in a file, before it raises
@given(st.sampled_from(FORMATS), st.floats(0, 1, exclude_max=True))
def test_file_cut_anywhere_is_a_picture_or_one_error(suffix, share):
    data = ENCODED[suffix]
    read_or_refuse(data[: int(len(data) * share)])


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@given(
    st.sampled_from(FORMATS), st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8)
)
def test_file_with_changed_bytes_is_a_picture_or_one_error(suffix, changes):
    data = bytearray(ENCODED[suffix])
    for share, value in changes:
        data[int(len(data) * share)] = value
    read_or_refuse(bytes(data))


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"II*\0"]))
def test_noise_is_one_error(noise, start):
    read_or_refuse(start + noise)


def test_picture_that_claims_to_be_huge_is_refused_before_it_is_unpacked():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 10**5, 10**5, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    with pytest.raises(UnreadableImage, match=r"10000000000 pixels.*decompression bomb"):
        decode_image(bomb)


def test_decompression_bomb_is_refused(tmp_path, monkeypatch):
    Image.new("1", (WIDTH, HEIGHT)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", WIDTH * HEIGHT // 2 - 1)
    with pytest.raises(UnreadableImage, match="decompression bomb"):
        read_image(tmp_path / "a.png")
