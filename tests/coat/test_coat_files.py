"""Checkpoints of CoaT: names of shared tensors, containers of training scripts, what is refused."""

import argparse

import numpy as np
import pytest
from checkpoints import assert_same_weights, untouched
from coat_twins import TWINS, filled, fresh
from safetensors.numpy import load_file, save_file

import keras_coatnet as kc

each_twin = pytest.mark.parametrize("name", TWINS)


@pytest.fixture
def tensors(tmp_path, request):
    """name -> array of the lite twin, every alias included."""
    path = tmp_path / "written.safetensors"
    kc.save_checkpoint(filled("coat_lite_mini"), path, source="timm")
    return load_file(path)


def write(folder, tensors):
    path = folder / "file.safetensors"
    save_file(tensors, path)
    return path


@each_twin
@pytest.mark.parametrize("kept", [min, max])
def test_one_name_a_tensor_is_enough_whichever_it_is(name, kept, tmp_path):
    kc.save_checkpoint(filled(name), tmp_path / "all.safetensors", source="timm")
    groups = {}
    for key, value in load_file(tmp_path / "all.safetensors").items():
        groups.setdefault(value.tobytes(), []).append(key)
    tensors = load_file(tmp_path / "all.safetensors")
    single = {kept(keys): tensors[kept(keys)] for keys in groups.values()}
    assert len(single) == len(filled(name).weights) < len(tensors)
    model = fresh(name, seed=1)
    kc.load_checkpoint(model, write(tmp_path, single))
    assert_same_weights(model, filled(name))


def test_a_tensor_with_two_values_is_refused(tensors, tmp_path):
    tensors["serial_blocks4.1.cpe.proj.weight"] = tensors["serial_blocks4.1.cpe.proj.weight"] + 1
    model = fresh("coat_lite_mini", seed=1)
    with (
        untouched(model),
        pytest.raises(
            ValueError,
            match=r"one tensor, two values \(1\): serial_blocks4.1.cpe.proj.weight is not cpe4.proj.weight",
        ),
    ):
        kc.load_checkpoint(model, write(tmp_path, tensors))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"serial_blocks9.0.norm1.weight": np.ones(8, "float32")}, r"unexpected \(1\): serial_blocks9.0.norm1.weight"),
        ({"norm5.weight": np.ones(8, "float32")}, r"unexpected \(1\): norm5.weight"),
        ({"norm4.weight": np.ones(7, "float32")}, r"other shape \(1\): norm4.weight"),
        ({"cls_token1": None}, r"missing \(1\): cls_token1"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tensors, tmp_path, change, message):
    tensors = {name: value for name, value in {**tensors, **change}.items() if value is not None}
    model = fresh("coat_lite_mini", seed=1)
    with untouched(model), pytest.raises(ValueError, match=message):
        kc.load_checkpoint(model, write(tmp_path, tensors))


def test_norms_that_nothing_reads_are_named(tensors, tmp_path):
    extra = {f"norm{scale}.{leaf}": np.ones(8, "float32") for scale in (1, 2, 3) for leaf in ("weight", "bias")}
    report = kc.load_checkpoint(fresh("coat_lite_mini", seed=1), write(tmp_path, {**tensors, **extra}))
    assert report.unused == tuple(sorted(extra))


def torch_file(folder, content):
    torch = pytest.importorskip("torch")

    def convert(tensors):
        return {name: torch.from_numpy(value.copy()) for name, value in tensors.items()}

    path = folder / "checkpoint.pth"
    torch.save({key: convert(value) if isinstance(value, dict) else value for key, value in content.items()}, path)
    return path


def test_the_authors_raw_weights_are_read_also_beside_an_average(tensors, tmp_path):
    average = {name: value + 1 for name, value in tensors.items()}
    arguments = argparse.Namespace(model="coat_lite_mini", lr=5e-4)
    path = torch_file(tmp_path, {"model_ema": average, "model": tensors, "args": arguments, "epoch": 3})
    model = fresh("coat_lite_mini", seed=1)
    assert kc.load_checkpoint(model, path).source == "official"
    assert_same_weights(model, filled("coat_lite_mini"))


def test_said_to_be_timms_the_average_comes_first(tensors, tmp_path):
    raw = {name: value + 1 for name, value in tensors.items()}
    path = torch_file(tmp_path, {"state_dict": raw, "state_dict_ema": tensors})
    model = fresh("coat_lite_mini", seed=1)
    assert kc.load_checkpoint(model, path, source="timm").source == "timm"
    assert_same_weights(model, filled("coat_lite_mini"))


@pytest.mark.parametrize("prefix", ["backbone.bottom_up.backbone.", "backbone.0.backbone.", "backbone."])
@pytest.mark.parametrize("key", ["model", "state_dict"])
def test_a_detector_gives_its_backbone(tensors, tmp_path, prefix, key):
    body = {name: value for name, value in tensors.items() if not name.startswith(("norm", "head"))}
    neck = {"neck.lateral.weight": np.ones(3, "float32"), "roi_head.bbox.bias": np.ones(2, "float32")}
    path = torch_file(tmp_path, {key: {**{prefix + name: value for name, value in body.items()}, **neck}})
    model = fresh("coat_lite_mini", seed=1)
    with untouched(model), pytest.raises(ValueError, match=r'missing \(4\): norm4(.|\n)*head="fresh"'):
        kc.load_checkpoint(model, path)
    report = kc.load_checkpoint(model, path, head="fresh")
    assert report.left == tuple(neck)
    assert len(report.fresh) == 4
    expected = filled("coat_lite_mini").get_layer("stage4_block2").get_weights()
    for got, value in zip(model.get_layer("stage4_block2").get_weights(), expected, strict=True):
        np.testing.assert_array_equal(got, value)


def test_the_authors_format_is_not_written():
    with pytest.raises(ValueError, match=r'final norms that nothing reads.*source="timm"'):
        kc.save_checkpoint(filled("coat_lite_mini"), "never.pth", source="official")


@each_twin
def test_own_weights_file_keeps_every_weight(name, tmp_path):
    kc.save_checkpoint(filled(name), tmp_path / "own.weights.h5")
    model = fresh(name, seed=1)
    report = kc.load_checkpoint(model, tmp_path / "own.weights.h5")
    assert report.loaded == len([w for w in model.weights if "seed" not in w.path])
    assert_same_weights(model, filled(name))


def test_pretrained_path_keeps_its_classes_and_adapts_channels(tensors, tmp_path):
    from coat_twins import twin

    path = write(tmp_path, tensors)
    model = kc.CoaT(twin("coat_lite_mini"), input_shape=(64, 96, 3), pretrained=str(path))
    assert model.output_shape == (None, 5)
    grey = kc.CoaT(twin("coat_lite_mini"), input_shape=(64, 96, 1), pretrained=str(path), num_classes=3)
    kernel = tensors["patch_embed1.proj.weight"].transpose(2, 3, 1, 0).sum(2, keepdims=True)
    found = np.asarray(grey.get_layer("stage1_patch_embedding").convolution.get_weights()[0])
    np.testing.assert_allclose(found, kernel, rtol=1e-6)
