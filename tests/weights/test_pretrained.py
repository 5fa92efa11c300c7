"""`pretrained=`: from a tag or a path to a model, whatever is asked of it beside."""

import hashlib
import json

import keras
import numpy as np
import pytest
from checkpoints import assert_same_weights, make, weights
from running import image, run

import keras_coatnet as kc
from keras_coatnet.weights.manifest import load_manifest

NAME = "coatnet_2_rw"
PREPROCESSING = {
    "mean": [0.5] * 3,
    "std": [0.5] * 3,
    "crop": 0.95,
    "crop_mode": "center",
    "order": "resize_then_crop",
    "interpolation": "bicubic",
}


def twin(**keywords):
    """A narrow model without weights of its own, to be filled by `pretrained`."""
    keywords.setdefault("classifier_activation", None)
    return kc.CoAtNet(kc.narrow(NAME, (1, 1, 2, 1), (8, 32, 32, 32), (4, 8)), **keywords)


def row(path, tag, size, **fields):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    file = {"url": f"https://example.invalid/{path.name}", "file": path.name, "format": "safetensors", "sha256": digest}
    file |= {"size": None, "sha256_prefix": None, "md5": None}
    defaults = {"default": False, "num_classes": 5, "labels": "five", "trained_on": "noise", "accuracy": []}
    made = {"variant": NAME, "tag": tag, "input_size": size, "source": "timm", "files": [file], "licence": None}
    return {**made, **defaults, "preprocessing": PREPROCESSING, **fields}


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """{size: model}: a lab's own weights in two sizes, in a folder that serves as mirror."""
    models = {size: make(NAME, input_shape=(size, size, 3), seed=size) for size in (64, 96)}
    rows = []
    for size, model in models.items():
        path = tmp_path / f"lab_{size}.safetensors"
        kc.save_checkpoint(model, path, "timm")
        rows.append(row(path, "lab", size, default=True))
    (tmp_path / "manifest.json").write_text(json.dumps(rows))
    monkeypatch.setenv("KERAS_COATNET_MANIFEST", str(tmp_path / "manifest.json"))
    monkeypatch.setenv("KERAS_COATNET_MIRROR", str(tmp_path))
    monkeypatch.setenv("KERAS_COATNET_HOME", str(tmp_path / "home"))
    return models


def test_a_tag_loads_from_a_cold_and_a_warm_cache(lab, tmp_path, monkeypatch):
    cold = twin(input_shape=(64, 64, 3), pretrained="lab")
    monkeypatch.delenv("KERAS_COATNET_MIRROR")
    monkeypatch.setenv("KERAS_COATNET_OFFLINE", "1")
    warm = twin(input_shape=(64, 64, 3), pretrained="lab")
    for model in (cold, warm):
        assert_same_weights(lab[64], model)
        assert model.output_shape == (None, 5)
    assert len(list((tmp_path / "home").rglob("*.weights.h5"))) == 1


def test_imagenet_means_the_default_row(lab):
    assert_same_weights(lab[64], twin(input_shape=(64, 64, 3), pretrained="imagenet"))


@pytest.mark.parametrize(
    ("input_shape", "size"), [((64, 64, 3), 64), ((96, 96, 3), 96), ((128, 128, 3), 96), ((None, None, 3), 96)]
)
def test_of_several_sizes_the_nearest_is_taken(lab, input_shape, size):
    model = twin(input_shape=input_shape, pretrained="lab")
    kernel = "stem/convolution1/kernel"
    np.testing.assert_array_equal(weights(model)[kernel], weights(lab[size])[kernel])
    if None in input_shape:
        assert_same_weights(lab[size], model)


def test_logits_at_another_size_are_those_of_the_resized_model(lab):
    model = twin(input_shape=(64, 128, 3), pretrained="lab")
    x = image((1, 64, 128, 3))
    np.testing.assert_array_equal(run(model, x), run(kc.resize_model(lab[96], (64, 128, 3)), x))


def test_another_number_of_classes_keeps_a_fresh_classifier_and_says_so(lab, caplog):
    model = twin(input_shape=(64, 64, 3), pretrained="lab", num_classes=3)
    assert model.output_shape == (None, 3)
    assert "lab: fresh, since the file does not fill it: predictions/kernel, predictions/bias" in caplog.text
    assert weights(model)["predictions/kernel"].std() > 0.01
    assert model.origin["labels"] is None
    np.testing.assert_array_equal(weights(model)["head_norm/gamma"], weights(lab[64])["head_norm/gamma"])


@pytest.mark.parametrize("channels", [1, 2, 4, 6])
def test_another_number_of_channels_adapts_the_first_convolution(lab, channels):
    model = twin(input_shape=(64, 64, channels), pretrained="lab")
    old, new = (weights(each)["stem/convolution1/kernel"] for each in (lab[64], model))
    assert new.shape == (3, 3, channels, 4)
    if channels == 1:
        np.testing.assert_allclose(new[:, :, 0], old.sum(axis=2), rtol=1e-6)
    else:
        np.testing.assert_allclose(new, old[:, :, [0, 1, 2, 0, 1, 2][:channels]] * 3 / channels, rtol=1e-6)


def test_features_come_without_a_top_and_without_a_word(lab, caplog):
    model = twin(input_shape=(64, 64, 3), pretrained="lab", include_top=False, pooling="avg")
    x = image((2, 64, 64, 3))
    want = keras.Model(lab[64].input, lab[64].get_layer("avg_pool").output)
    np.testing.assert_array_equal(run(model, x), run(want, x))
    assert caplog.records == []


def test_where_the_weights_are_from_outlives_the_model(lab, tmp_path):
    model = twin(input_shape=(64, 64, 3), pretrained="lab")
    model.save(tmp_path / "saved.keras")
    for each in (model, keras.models.load_model(tmp_path / "saved.keras"), kc.resize_model(model, (96, 64, 3))):
        assert each.origin == {
            "name": f"{NAME}.lab",
            "input_size": 64,
            "labels": "five",
            "preprocessing": PREPROCESSING,
        }


def test_a_path_decides_the_number_of_classes(lab, tmp_path):
    model = twin(input_shape=(64, 64, 3), pretrained=str(tmp_path / "lab_64.safetensors"))
    assert_same_weights(lab[64], model)
    assert model.origin is None
    other = twin(input_shape=(64, 64, 3), pretrained=tmp_path / "lab_64.safetensors", num_classes=2)
    assert other.output_shape == (None, 2)


@pytest.mark.parametrize(
    ("pretrained", "message"),
    [
        ("labs", r"no weights with the tag 'labs'; known: .*lab.* Nearest: lab"),
        ("nowhere.safetensors", "where there is no file"),
        ("folder/lab", "where there is no file"),
    ],
)
def test_what_is_not_there_is_told_before_anything_is_built(lab, pretrained, message):
    with pytest.raises(ValueError, match=message):
        twin(input_shape=(64, 64, 3), pretrained=pretrained)


def test_a_file_that_is_not_what_the_manifest_says_is_refused(lab, tmp_path):
    (tmp_path / "lab_64.safetensors").write_bytes((tmp_path / "lab_96.safetensors").read_bytes())
    with pytest.raises(OSError, match=r"lab_64\.safetensors"):
        twin(input_shape=(64, 64, 3), pretrained="lab")
    assert not list((tmp_path / "home").rglob("*.weights.h5"))


def test_a_cache_that_is_damaged_later_is_made_anew(lab, tmp_path):
    twin(input_shape=(64, 64, 3), pretrained="lab")
    (converted,) = (tmp_path / "home").rglob("*.weights.h5")
    converted.write_bytes(converted.read_bytes()[:-100])
    assert_same_weights(lab[64], twin(input_shape=(64, 64, 3), pretrained="lab"))


def test_every_shipped_row_is_of_a_known_variant():
    rows = load_manifest()
    assert len(rows) == 35
    assert all(kc.get_spec(each.variant).name == each.variant for each in rows)
