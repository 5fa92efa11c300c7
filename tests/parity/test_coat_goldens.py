"""CoaT against the authors' code and timm: layers, stage maps, logits, and their files back bit for bit."""

import argparse
import dataclasses
import functools
import gzip
import json
import pathlib
import tempfile

import keras
import numpy as np
import pytest
from golden_cases import run

import keras_coatnet as kc
from keras_coatnet.layers.serial_block import join

GOLDENS = pathlib.Path(__file__).parents[1] / "goldens" / "coat"
CASES = json.loads((GOLDENS / "cases.json").read_text())
FILES = list({case["checkpoint"]: case for case in reversed(CASES)}.values())
# Largest difference over the standard deviation of what is expected.
TOLERANCE = 5e-5
_folder = tempfile.TemporaryDirectory()


def name_of(case):
    return case["name"]


@functools.cache
def unpacked(checkpoint, parts):
    """Path of a peer's file, which is kept gzipped in parts."""
    path = pathlib.Path(_folder.name) / checkpoint
    path.write_bytes(gzip.decompress(b"".join((GOLDENS / part).read_bytes() for part in parts)))
    return path


def checkpoint_of(case):
    if case["checkpoint"].endswith(".pth"):
        pytest.importorskip("torch")
    return unpacked(case["checkpoint"], tuple(case["parts"]))


@functools.cache
def loaded_by_name(name):
    case = next(case for case in CASES if case["name"] == name)
    spec = dataclasses.replace(kc.get_spec(case["base"]), **case["overrides"])
    model = kc.CoaT(
        spec,
        input_shape=tuple(case["input_shape"]),
        num_classes=case["num_classes"],
        classifier_activation=None,
    )
    return model, kc.load_checkpoint(model, checkpoint_of(case))


def loaded(case):
    """The twin with the peer's weights; tests do not change it."""
    checkpoint_of(case)
    return loaded_by_name(case["name"])[0]


def assert_close(got, expected, what):
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, the peer's is {expected.shape}"
    difference = float(np.abs(got.astype("float64") - expected).max() / expected.std())
    assert difference <= TOLERANCE, f"{what}: off by {difference:.1e}"


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_stage_maps_and_logits_are_the_peers(case):
    model, answers = loaded(case), np.load(GOLDENS / case["io"])
    taps = keras.Model(model.inputs, [*kc.stage_outputs(model).outputs, model.output])
    found = run(taps, answers["input"])
    for got, name in zip(found, ("x1", "x2", "x3", "x4", "logits"), strict=True):
        assert_close(got, answers[name], name)


@pytest.mark.parametrize("case", FILES, ids=name_of)
def test_every_tensor_is_one_variable(case):
    model = loaded(case)
    assert (
        model.count_params()
        == case["params"]
        == kc.count(model.spec, case["input_shape"]).parameters
        - (model.spec.num_classes - case["num_classes"]) * (model.spec.embed_dims[-1] + 1)
    )
    assert len({id(weight) for weight in model.weights}) == len(model.weights)


def timm_names():
    """{file: every name that timm's strict loading asks for}."""
    names, file = {}, None
    for line in gzip.decompress((GOLDENS / "timm_names.txt.gz").read_bytes()).decode().splitlines():
        if line.startswith("  "):
            names[file].add(line.strip())
        else:
            file = line
            names[file] = set()
    return names


def tensors_of(path):
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        return load_file(path)
    import torch

    with torch.serialization.safe_globals([argparse.Namespace]):
        return {name: value.numpy() for name, value in torch.load(path, weights_only=True)["model"].items()}


@pytest.mark.parametrize("case", FILES, ids=name_of)
def test_saved_for_timm_a_file_has_every_name_that_its_strict_loading_wants(case, tmp_path):
    path = tmp_path / "again.safetensors"
    kc.save_checkpoint(loaded(case), path, source="timm")
    written, original = tensors_of(path), tensors_of(checkpoint_of(case))
    assert set(written) == timm_names()[case["checkpoint"]]
    for name in written.keys() & original.keys():
        np.testing.assert_array_equal(written[name], original[name], err_msg=name)
    assert {name for name in original if name not in written} == set(loaded_by_name(case["name"])[1].unused)


def test_files_of_the_authors_hold_norms_that_nothing_reads():
    reports = {case["name"]: (loaded(case), loaded_by_name(case["name"])[1])[1] for case in FILES}
    assert reports["small"].unused == ("norm1.bias", "norm1.weight")
    assert len(reports["lite_medium"].unused) == 6
    assert reports["lite_medium"].source == "official"
    assert reports["eps"].unused == ()


# Single layers, fed with the peer's own inputs.


def map_and_token(tokens, sides):
    return tokens[:, 1:].reshape(len(tokens), *sides, -1), tokens[:, :1]


@pytest.mark.parametrize("name", ["small", "lite_medium"])
@pytest.mark.parametrize("layer", ["patch_embed2", "cpe2", "attention2", "serial2"])
def test_layer_of_scale_2_gives_the_peers_output(name, layer):
    case = next(case for case in CASES if case["name"] == name)
    model, answers = loaded(case), np.load(GOLDENS / f"{name}_layers.npz")
    x, expected = answers[f"{layer}.0"], answers[f"{layer}.1"]
    sides = tuple(side // 8 for side in case["input_shape"][:2])
    if layer == "patch_embed2":
        found = run(model.get_layer("stage2_patch_embedding"), x.transpose(0, 2, 3, 1)).reshape(expected.shape)
    else:
        found = run_on_tokens(model, layer, x, sides)
    assert_close(found, expected, layer)


def run_on_tokens(model, layer, x, sides):
    """A layer of scale 2 in a model of its own, from tokens to tokens."""
    image_map, token = map_and_token(x, sides)
    inputs = keras.Input(image_map.shape[1:]), keras.Input(token.shape[1:])
    windows = model.get_layer("stage2_relative_position")(inputs[0])
    block = model.get_layer("stage2_block1")
    encoded = model.get_layer("stage2_position_encoding")(inputs[0])
    if layer == "attention2":
        outputs = Attend(block.attention, sides)(*inputs, windows)
    else:
        outputs = [encoded, inputs[1]] if layer == "cpe2" else block(encoded, inputs[1], windows)
    found = run(keras.Model(inputs, outputs), [image_map, token])
    return found if layer == "attention2" else joined(*found)


def joined(image_map, token):
    return np.concatenate([token, image_map.reshape(len(token), -1, token.shape[-1])], axis=1)


def Attend(attention, sides):
    class OnTokens(keras.layers.Layer):
        def call(self, image_map, token, windows):
            return attention(join(token, image_map), windows, sides=sides)

        def compute_output_shape(self, image_map_shape, token_shape, windows_shape):
            return (image_map_shape[0], sides[0] * sides[1] + 1, image_map_shape[-1])

    return OnTokens()


def test_parallel_block_gives_the_peers_output():
    case = next(case for case in CASES if case["name"] == "small")
    model, answers = loaded(case), np.load(GOLDENS / "small_layers.npz")
    all_sides = [tuple(side // stride for side in case["input_shape"][:2]) for stride in (8, 16, 32)]
    pairs = [map_and_token(answers[f"parallel1.{scale}"], sides) for scale, sides in enumerate(all_sides, start=1)]
    maps = [keras.Input(image_map.shape[1:]) for image_map, _ in pairs]
    tokens = [keras.Input(token.shape[1:]) for _, token in pairs]
    windows = [model.get_layer(f"stage{s}_relative_position")(x) for s, x in zip((2, 3, 4), maps, strict=True)]
    # timm encodes positions before its parallel block and hands the encoded tokens over.
    outputs = model.get_layer("parallel_block1")(maps, tokens, windows)
    values = [*(image_map for image_map, _ in pairs), *(token for _, token in pairs)]
    found_maps, found_tokens = run(keras.Model([*maps, *tokens], outputs), values)
    for number, (image_map, token) in enumerate(zip(found_maps, found_tokens, strict=True), start=5):
        assert_close(joined(image_map, token), answers[f"parallel1.{number}"], f"scale {number - 3}")
