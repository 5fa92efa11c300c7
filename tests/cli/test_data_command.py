"""keras-coatnet data check and data show."""

import numpy as np
import pytest
from photo_folders import make_photos
from PIL import Image

from keras_coatnet.cli.main import main

pytestmark = pytest.mark.backend_free


def test_check_of_a_good_folder_prints_counts_and_returns_zero(tmp_path, capsys):
    assert main(["data", "check", str(make_photos(tmp_path, cat=10, dog=5))]) == 0
    out = capsys.readouterr().out
    assert [line.split("│")[1:4] for line in out.splitlines() if "cat" in line] == [
        [" cat       ", "     8 ", "        2 "]
    ]
    assert "2 classes" in out
    assert "sizes, height x width: 20 x 22 to 22 x 26" in out
    assert out.splitlines()[-1] == "good"


def test_check_lists_broken_pictures_and_returns_one(tmp_path, capsys):
    assert main(["data", "check", str(make_photos(tmp_path, broken=(1, 4), cat=10, dog=5))]) == 1
    out = capsys.readouterr().out
    assert "4 x unreadable:" in out
    assert f"  {tmp_path}/dog/1.png: not a picture in a format that PIL knows" in out
    assert out.splitlines()[-1] == "not good; see above"


@pytest.mark.parametrize("command", ["check", "show"])
def test_missing_folder_is_one_line_of_wrong_usage(tmp_path, capsys, command):
    recipe = ["--recipe", "transfer"] if command == "show" else []
    assert main(["data", command, str(tmp_path / "nowhere"), *recipe]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_show_writes_a_sheet_with_a_row_a_picture(tmp_path, capsys):
    data = make_photos(tmp_path / "photos", broken=(0, 1), cat=8, dog=8)
    target = tmp_path / "sheet.png"
    command = [
        "data",
        "show",
        str(data),
        "--recipe",
        "a3_160",
        "--image-size",
        "40",
        "--pictures",
        "3",
        "--out",
        str(target),
    ]
    assert main(command) == 0
    with Image.open(target) as sheet:
        assert f"{sheet.width} x {sheet.height} pixels" in capsys.readouterr().out
        # The original, six epochs, MixUp and CutMix.
        assert sheet.width == 4 + 9 * 44
        pixels = np.asarray(sheet)
    assert sheet.height == 32 + 3 * 58
    first_tile = pixels[46:86, 4:44]
    assert len(np.unique(first_tile.reshape(-1, 3), axis=0)) > 500
    assert main([*command, "--seed", "1"]) == 0
    assert (np.asarray(Image.open(target)) != pixels).any()


def test_show_follows_the_fields_that_are_set(tmp_path):
    data = make_photos(tmp_path / "photos", cat=4, dog=4)
    target = tmp_path / "sheet"
    options = ["--set", "mixup=0", "--set", "cutmix=0", "--image-size", "24", "--pictures", "2", "--out", str(target)]
    assert main(["data", "show", str(data), "--recipe", "a3_160", *options]) == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == 4 + 7 * 28


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--recipe", "a3"], "no recipe 'a3'. Nearest: "),
        (["--recipe", "a3_160", "--set", "mixups=1"], "no field 'mixups'. Nearest: mixup"),
        (["--recipe", "a3_160", "--set", "mixup"], "must be FIELD=VALUE"),
    ],
)
def test_show_refuses_unknown_recipes_and_fields(tmp_path, capsys, options, message):
    assert main(["data", "show", str(make_photos(tmp_path, cat=4, dog=4)), *options]) == 2
    assert message in capsys.readouterr().err
