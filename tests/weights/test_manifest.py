"""The shipped rows against what is published, and a lab's own rows beside them."""

import dataclasses
import json

import jsonschema
import pytest
from fetching import make_row, weight_file

import keras_coatnet as kc
from keras_coatnet.weights.in_package import path_in_package
from keras_coatnet.weights.manifest import find_rows, list_pretrained, load_manifest, nearest_row, shipped_manifest
from keras_coatnet.weights.manifest_check import read_schema

pytestmark = [pytest.mark.backend_free, pytest.mark.usefixtures("home")]

RELEASE = "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights-maxx/"
KECAM = "https://github.com/leondgarse/keras_cv_attention_models/releases/download/coatnet/"

# timm's name and tag; size, crop, classes, file of the release with the start of its sha256, top-1, top-5, default tag.
TIMM = """
coatnet_nano_rw_224.sw_in1k             224 0.9  1000  coatnet_nano_rw_224_sw-f53093b4.pth      81.704 95.650 yes
coatnet_0_rw_224.sw_in1k                224 0.95 1000  coatnet_0_rw_224_sw-a6439706.pth         82.396 95.844 yes
coatnet_1_rw_224.sw_in1k                224 0.95 1000  coatnet_1_rw_224_sw-5cae1ea8.pth         83.620 96.382 yes
coatnet_bn_0_rw_224.sw_in1k             224 0.95 1000  coatnet_bn_0_rw_224_sw-c228e218.pth      82.394 96.194 yes
coatnet_rmlp_nano_rw_224.sw_in1k        224 0.9  1000  coatnet_rmlp_nano_rw_224_sw-bd1d51b3.pth 82.064 95.874 yes
coatnet_rmlp_1_rw_224.sw_in1k           224 0.95 1000  coatnet_rmlp_1_rw_224_sw-9051e6c3.pth    83.350 96.452 yes
coatnet_rmlp_2_rw_224.sw_in1k           224 0.95 1000  coatnet_rmlp_2_rw_224_sw-5ccfac55.pth    84.608 96.744 no
coatnext_nano_rw_224.sw_in1k            224 0.9  1000  coatnext_nano_rw_224_ad-22cb71c2.pth     81.998 95.888 yes
coatnet_2_rw_224.sw_in12k               224 0.95 11821 -                                        -      -      no
coatnet_2_rw_224.sw_in12k_ft_in1k       224 0.95 1000  -                                        86.582 97.896 yes
coatnet_3_rw_224.sw_in12k               224 0.95 11821 -                                        -      -      no
coatnet_rmlp_1_rw2_224.sw_in12k         224 0.95 11821 -                                        -      -      no
coatnet_rmlp_1_rw2_224.sw_in12k_ft_in1k 224 0.95 1000  -                                        84.940 96.968 yes
coatnet_rmlp_2_rw_224.sw_in12k          224 0.95 11821 -                                        -      -      no
coatnet_rmlp_2_rw_224.sw_in12k_ft_in1k  224 0.95 1000  -                                        86.538 97.894 yes
coatnet_rmlp_2_rw_384.sw_in12k_ft_in1k  384 1.0  1000  -                                        87.388 98.312 yes
"""


def published():
    """(name and tag at timm, the other columns) of each row."""
    return [tuple(line.split()) for line in TIMM.strip().splitlines()]


def test_the_shipped_manifest_is_valid():
    schema = read_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(shipped_manifest().read_text()), schema)


def test_there_are_35_different_rows_of_known_variants():
    rows = load_manifest()
    assert len({row.key for row in rows}) == len(rows) == 35
    assert {row.variant for row in rows} <= set(kc.list_variants())
    assert len({file.url for row in rows for file in row.files}) == 43
    assert len({file.file for row in rows for file in row.files}) == 43


@pytest.mark.parametrize("facts", published(), ids=lambda facts: facts[0])
def test_every_row_of_timm_is_as_published(facts):
    name, size, crop, classes, release, top1, top5, default = facts
    (row,) = [row for row in load_manifest() if row.files[0].file == f"{name}.safetensors"]
    variant, tag = name.split(".")
    assert row.key == (variant.rsplit("_", 1)[0], tag, int(size))
    assert (row.num_classes, row.default, row.source) == (int(classes), default == "yes", "timm")
    assert row.labels == {"1000": "imagenet-1k", "11821": "imagenet-12k"}[classes]
    assert row.num_classes == kc.get_spec(row.variant).num_classes or tag == "sw_in12k"
    wanted = [(f"https://huggingface.co/timm/{name}/resolve/main/model.safetensors", "safetensors", None)]
    if release != "-":
        wanted.append((RELEASE + release, "torch", release[-12:-4]))
    assert [(file.url, file.format, file.sha256_prefix) for file in row.files] == wanted
    statistics = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)) if "_bn_" in name else ((0.5,) * 3, (0.5,) * 3)
    preprocessing = row.preprocessing
    assert (preprocessing.mean, preprocessing.std) == statistics
    assert (preprocessing.crop, preprocessing.interpolation) == (float(crop), "bicubic")
    assert preprocessing.crop_mode == ("squash" if size == "384" else "center")
    assert preprocessing.order == "resize_then_crop"
    figures = [(int(size), float(top1), float(top5))] if top1 != "-" else []
    assert [(figure.input_size, figure.top1, figure.top5) for figure in row.accuracy] == figures
    assert row.licence == "apache-2.0"


@pytest.mark.parametrize(
    ("size", "md5", "figures"),
    [
        (160, "bc4375d2f03b99ac4252770331f0d22f", [(160, 80.48, None), (224, 81.056, 95.362)]),
        (224, "5d1e563f959f7efb6d395bde7373ed26", [(224, 82.79, None)]),
    ],
)
def test_the_rows_of_keras_cv_attention_models_are_as_published(size, md5, figures):
    (row,) = [row for row in find_rows("coatnet_0", "imagenet") if row.input_size == size]
    (file,) = row.files
    assert (file.url, file.md5, file.format) == (f"{KECAM}coatnet0_{size}_imagenet.h5", md5, "legacy_h5")
    assert [(figure.input_size, figure.top1, figure.top5) for figure in row.accuracy] == figures
    assert (row.preprocessing.order, row.preprocessing.crop) == ("crop_then_resize", 0.95)
    assert row.preprocessing.mean == (0.485, 0.456, 0.406)
    assert row.num_classes == 1000


# Variant and size; the authors' file with the start of its sha256, their top-1 and top-5; timm's name, its two figures.
COAT = """
coat_lite_tiny   224 coat_lite_tiny_e88e96b0           77.504 93.814 coat_lite_tiny       77.548 93.924
coat_lite_mini   224 coat_lite_mini_6b4a8ae5           79.1   94.5   coat_lite_mini       79.104 94.606
coat_lite_small  224 coat_lite_small_8d362f48          81.9   95.5   coat_lite_small      82.304 95.854
coat_lite_medium 224 coat_lite_medium_a750cd63         83.6   96.7   coat_lite_medium     83.602 96.714
coat_lite_medium 384 coat_lite_medium_384x384_f9129688 84.5   97.1   coat_lite_medium_384 84.890 97.376
coat_tiny        224 coat_tiny_c6efc33c                78.3   94.0   coat_tiny            78.442 94.044
coat_mini        224 coat_mini_40667eec                81.0   95.2   coat_mini            81.320 95.388
coat_small       224 coat_small_7479cf9b               82.1   96.1   coat_small           82.378 96.214
"""


@pytest.mark.parametrize("facts", COAT.strip().splitlines(), ids=lambda facts: " ".join(facts.split()[:2]))
def test_coat_has_timms_row_and_the_authors_with_crops_and_figures_of_their_own(facts):
    variant, size, official, top1, top5, hub, timm_top1, timm_top5 = facts.split()
    wanted = {
        "official": (f"https://vcl.ucsd.edu/coat/pretrained/{official}.pth", official[-8:], top1, top5),
        "in1k": (f"https://huggingface.co/timm/{hub}.in1k/resolve/main/pytorch_model.bin", None, timm_top1, timm_top5),
    }
    for tag, (url, prefix, *figures) in wanted.items():
        (row,) = [row for row in find_rows(variant, tag) if row.input_size == int(size)]
        (file,) = row.files
        assert (file.url, file.format) == (url, "torch")
        assert prefix in (None, file.sha256_prefix)
        assert row.source == ("official" if tag == "official" else "timm")
        assert [(found.top1, found.top5) for found in row.accuracy] == [tuple(map(float, figures))]
    official, timm = (
        row.preprocessing for tag in wanted for row in find_rows(variant, tag) if row.input_size == int(size)
    )
    assert (official.crop, official.crop_mode) == (0.875, "center")
    assert (timm.crop, timm.crop_mode) == ((1.0, "squash") if size == "384" else (0.9, "center"))
    assert {row.tag for row in find_rows(variant, "imagenet")} == {"in1k"}


# As the Hub's pages of these files state it.
PUBLIC_HASHES = {
    "coat_lite_small.in1k.bin": "7edf2709b99339fbd877d9b94928ef6dc0b28012b23522cb5e1db45e2a608b80",
    "coat_lite_medium.in1k.bin": "0c078514e3d5510002a82a3149f5d517b125eef4a14d819ccde54bc226e53db2",
    "coat_lite_medium_384.in1k.bin": "f3bc229d4853f31ac9b7396c7b66b031e1c0ba4aa6e24154696e33ca6b0d4faf",
    "coat_tiny.in1k.bin": "b480616d2911f292e14fd04d3806a9c0ab9079767f1d6f706abe111f1dd76c35",
    "coat_mini.in1k.bin": "69980790c99a01fced083c1da5fef9c3e4b33ebe3a14b7fdc7f4c6a4e66c3477",
}


def test_nothing_that_is_not_public_is_claimed():
    rows = [row for row in load_manifest() if not path_in_package(row)]
    found = {file.file: (file.size, file.sha256) for row in rows for file in row.files}
    assert found == {name: (None, PUBLIC_HASHES.get(name)) for name in found}


# Finding rows


def test_imagenet_means_the_default_rows():
    tags = {
        variant: {row.tag for row in find_rows(variant, "imagenet")}
        for variant in {row.variant for row in load_manifest()} - {"coatnet_3_rw", "coatnet_tiny64"}
    }
    assert all(len(found) == 1 for found in tags.values())
    assert tags["coatnet_0"] == {"imagenet"}
    assert tags["coatnet_rmlp_2_rw"] == {"sw_in12k_ft_in1k"}
    assert tags["coatnet_0_rw"] == {"sw_in1k"}


@pytest.mark.parametrize(
    ("variant", "tag", "complaint"),
    [
        ("coatnet_3_rw", "imagenet", "coatnet_3_rw has no ImageNet-1k weights; its tags: sw_in12k"),
        ("coatnet_5", "imagenet", "There are no trained weights for coatnet_5"),
        ("coatnet_0_rw", "sw_in1", r"no weights with the tag 'sw_in1'; known: sw_in1k, imagenet\. Nearest: sw_in1k"),
        ("coatnet_3_rw", "xyz", r"known: sw_in12k\.$"),
        ("coatnet_0", "imagnet", r"no weights with the tag 'imagnet'; known: imagenet\.$"),
    ],
)
def test_what_there_is_not_is_told_with_what_there_is(variant, tag, complaint):
    with pytest.raises(ValueError, match=complaint):
        find_rows(variant, tag)


def test_patterns_match_variants_and_tags():
    def names(pattern):
        return {row.name for row in list_pretrained(pattern)}

    assert names("coatnet_0") == {"coatnet_0.imagenet"}
    assert names("*.sw_in12k") == {
        f"{variant}.sw_in12k" for variant in ("coatnet_2_rw", "coatnet_3_rw", "coatnet_rmlp_1_rw2", "coatnet_rmlp_2_rw")
    }
    assert len(list_pretrained()) == 35
    assert list_pretrained("vgg*") == []


@pytest.mark.parametrize(
    ("side", "nearest"),
    [
        (160, 160),
        (100, 160),
        (191, 160),
        (192, 224),  # a tie takes the larger
        (384, 224),
        (None, 224),
        ((None, None), 224),
        ((224, None), 224),
        ((128, 256), 160),  # the square of this area has 181 pixels a side
        ([128, 320], 224),
    ],
)
def test_the_row_nearest_in_size_is_taken(side, nearest):
    assert nearest_row(find_rows("coatnet_0", "imagenet"), side).input_size == nearest


def test_no_rows_have_no_nearest():
    with pytest.raises(ValueError, match="at least one row; got none"):
        nearest_row([], 224)


# A lab's own rows


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A function that makes a manifest file of rows and names it by KERAS_COATNET_MANIFEST."""

    def name(rows):
        path = tmp_path / "own.json"
        path.write_text(json.dumps(rows))
        monkeypatch.setenv("KERAS_COATNET_MANIFEST", str(path))
        return path

    return name


def entry(tag="made", **changes):
    return (
        json.loads(json.dumps(dataclasses.asdict(make_row(weight_file("http://weights.example/f"), tag=tag)))) | changes
    )


def test_own_rows_win_over_shipped_ones_and_add_to_them(own):
    own([entry("imagenet"), entry("mine", variant="coatnet_5", input_size=96, num_classes=7)])
    rows = {row.input_size: row for row in find_rows("coatnet_0", "imagenet")}
    assert rows[224].files[0].url == "http://weights.example/f"
    assert rows[160].files[0].file == "coatnet0_160_imagenet.h5"
    assert find_rows("coatnet_5", "mine")[0].num_classes == 7
    assert len(load_manifest()) == 36


def test_an_own_default_wins_over_the_shipped_one(own):
    own([entry("mine", variant="coatnet_0_rw", default=True)])
    assert {row.tag for row in find_rows("coatnet_0_rw", "imagenet")} == {"mine"}


def test_fields_that_say_nothing_may_be_left_out(own):
    minimal = entry()
    for key in ("default", "labels", "trained_on", "accuracy", "licence", "licence_note"):
        del minimal[key]
    minimal["files"] = [{"url": "file:///weights/f", "file": "f.h5", "format": "legacy_h5"}]
    own([minimal])
    (row,) = list_pretrained("coatnet_0.made")
    assert (row.default, row.labels, row.accuracy, row.files[0].has_hash) == (False, None, (), False)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"input_size": "224"}, "row 1 (coatnet_0.made), field input_size: must be of type integer; got '224'"),
        ({"source": "tim"}, "field source: must be one of kecam, timm, official, keras; got 'tim'"),
        ({"taag": "x"}, "row 1 (coatnet_0.made): unknown field taag; nearest: tag"),
        ({"files": []}, "field files: [] should be non-empty"),
        ({"files": [{"url": "http://x/f", "file": "f"}]}, "field files[0]: without format"),
        ({"files": [entry()["files"][0] | {"sha256": "abc"}]}, "field files[0].sha256: 'abc' does not match"),
        ({"files": [entry()["files"][0] | {"file": "../f"}]}, "field files[0].file: '../f' does not match"),
        ({"files": [entry()["files"][0] | {"url": "ftp://x/f"}]}, "field files[0].url: 'ftp://x/f' does not match"),
        ({"tag": "../up"}, "field tag: '../up' does not match"),
        ({"tag": "first"}, "row 1 (coatnet_0.first): same variant, tag and input_size as row 0"),
    ],
)
def test_a_wrong_row_of_ones_own_is_told_with_its_field(own, change, complaint):
    path = own([entry("first"), entry() | change])
    with pytest.raises(ValueError) as error:
        load_manifest()
    assert f"KERAS_COATNET_MANIFEST {path} is no valid weights manifest" in str(error.value)
    assert complaint in str(error.value)


def test_several_wrong_fields_are_told_apart_on_one_line_too(own):
    own([entry() | {"taag": "x", "source": "tim"}])
    with pytest.raises(ValueError, match=r"nearest: tag;\n  row 0 .*got 'tim'$|got 'tim';\n  row 0 .*nearest: tag$"):
        load_manifest()


def test_a_row_without_a_required_field_is_told(own):
    row = entry()
    del row["num_classes"], row["preprocessing"]
    own([row])
    with pytest.raises(ValueError, match=r"row 0 \(coatnet_0.made\): without num_classes, preprocessing"):
        load_manifest()


def test_a_file_that_is_no_manifest_is_told(own):
    path = own({"rows": []})
    with pytest.raises(ValueError, match="the file: must be of type array"):
        load_manifest()
    path.write_text("[{")
    with pytest.raises(ValueError, match="cannot be read as JSON"):
        load_manifest()
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"KERAS_COATNET_MANIFEST .*own\.json: there is no such file"):
        load_manifest()
