"""keras_cv_attention_models' own CoAtNets: built, filled with random tensors, saved, loaded by topology, run.

Needs keras-cv-attention-models 1.4.3 on tensorflow-cpu 2.15.1 (Keras 2) and numpy below 2. As a program, in `scripts`:
  python -m peers.kecam_peer write coatnet_0 224x224 --run 224x224 256x256 --folder OUT
  python -m peers.kecam_peer read coatnet_0 224x224 --checkpoint FILE --images FILE.npz --answer FILE.npz
"""

import argparse
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KECAM_BACKEND", "tensorflow")

import numpy as np
import tensorflow as tf
from keras_cv_attention_models.coatnet import coatnet
from keras_cv_attention_models.download_and_load import load_weights_with_mismatch

from peers.tensors import draw, draw_scene, generator_for

NAME = "kecam"
# Fields of our specs and the peer's arguments for them.
ARGUMENTS = {
    "head_dim": lambda value: {"head_dimension": value},
    "stride_in": lambda value: {"use_dw_strides": value == "depthwise"},
    "activation_first": lambda value: {"bn_act_first": value},
}
ROLES = {
    "kernel": "kernel",
    "depthwise_kernel": "kernel",
    "bias": "bias",
    "gamma": "norm_scale",
    "beta": "bias",
    "moving_mean": "mean",
    "moving_variance": "variance",
    "positional_embedding": "table",
}


def build(variant, sides, num_classes=1000, narrowing=None, fields=None):
    """The peer's model, giving logits.

    Args:
        variant: our name, `coatnet_t` or `coatnet_0` to `coatnet_7`.
        sides: (H, W) of the images.
        num_classes: of the classifier.
        narrowing: (depths, widths, stem) of a narrow twin of coatnet_0.
        fields: of our spec that differ, see `ARGUMENTS`.
    """
    arguments = {"input_shape": (*sides, 3), "num_classes": num_classes, "classifier_activation": None}
    for field, value in (fields or {}).items():
        arguments.update(ARGUMENTS[field](value))
    if narrowing is None:
        function = getattr(coatnet, "CoAtNet" + variant.removeprefix("coatnet_").upper())
        return function(pretrained=None, **arguments)
    depths, widths, stem = narrowing
    return coatnet.CoAtNet(list(depths), list(widths), stem_width=stem, **arguments)


def randomise(model, seed):
    """Give every variable a random value that depends on its name alone."""
    for layer in model.layers:
        values = []
        for variable in layer.weights:
            role = variable.name.split("/")[-1].split(":")[0]
            shape = tuple(variable.shape)
            fan_in = int(np.prod(shape[:2] if role == "depthwise_kernel" else shape[:-1]))
            values.append(draw(generator_for(seed, layer.name, role), ROLES[role], shape, fan_in))
        if values:
            layer.set_weights(values)


def save(model, path, whole_model=False):
    """Write a legacy h5 file: the weights, or the whole model."""
    if whole_model:
        model.save(path, save_format="h5")
    else:
        model.save_weights(path, save_format="h5")


def load(model, path, resized):
    """Load by layer name as the peer does, its own resizing of tables included."""
    layer = coatnet.MultiHeadRelativePositionalEmbedding if resized else None
    load_weights_with_mismatch(model, str(path), layer)


def load_exactly(model, path):
    """Load by topology: the file has to list the same layers with weights, in the same order and shapes."""
    model.load_weights(str(path), by_name=False)


def run(model, images):
    """{"stem", "stage1" ... "logits"}: NHWC arrays."""
    tensors = {"stem": model.get_layer("stem_2_conv").output}
    for path, _, last in _blocks(model):
        tensors[path.split("_")[0]] = model.get_layer(last).output
    tensors["logits"] = model.output
    return _values(model, tensors, images)


def run_layers(model, images):
    """What goes into each block, attention and squeeze-excite, and what comes out.

    Returns: {our layer's path: (input, output)}, NHWC; relative position biases are (heads, N, N).
    """
    tensors = {"stem": (model.input, model.get_layer("stem_2_conv").output)}
    names = {layer.name for layer in model.layers}
    for path, first, last in _blocks(model):
        stack = first.split("preact_")[0]
        tensors[path] = (model.get_layer(first).input, model.get_layer(last).output)
        if stack + "se_out" in names:
            gate = model.get_layer(stack + "se_out")
            tensors[path + "/squeeze_excite"] = (gate.input[0], gate.output)
        if stack + "mhsa_output" in names:
            attention = model.get_layer(stack + "mhsa_qkv_conv").input, model.get_layer(stack + "mhsa_output").output
            tensors[path + "/attention"] = attention
    inputs = _values(model, {path: pair[0] for path, pair in tensors.items()}, images)
    outputs = _values(model, {path: pair[1] for path, pair in tensors.items()}, images)
    found = {path: (inputs[path], outputs[path]) for path in tensors}
    for path, first, _ in _blocks(model):
        if path + "/attention" in found:
            found[path + "/attention/relative_position_bias"] = (inputs[path + "/attention"], _bias(model, first))
    return found


def _bias(model, first):
    """What the peer adds to scores: its layer on scores of zero."""
    layer = model.get_layer(first.split("preact_")[0] + "mhsa_pos_emb")
    return np.asarray(layer(tf.zeros((1, *layer.input.shape[1:]))))[0]


def _blocks(model):
    """(our path, layer that opens the block, layer that closes it) in order."""
    names = [layer.name for layer in model.layers]
    found = {}
    for name in names:
        parts = name.split("_")
        if parts[0] == "stack" and not name.endswith("mhsa_output"):
            path = f"stage{parts[1]}_block{parts[3]}"
            is_opening = "_preact_" in name and "ffn" not in name
            found.setdefault(path, [None, None])
            if is_opening and found[path][0] is None:
                found[path][0] = name
            if name.endswith("_output"):
                found[path][1] = name
    return [(path, *pair) for path, pair in found.items()]


def _values(model, tensors, images):
    probe = tf.keras.Model(model.inputs, list(tensors.values()))
    values = probe(images, training=False)
    return {name: np.asarray(value, "float32") for name, value in zip(tensors, values, strict=True)}


def write_files(variant, sides, runs, folder):
    """A checkpoint of random tensors and, for each size, images with the peer's answer."""
    name = f"kecam_{variant}_{sides[0]}x{sides[1]}"
    source = build(variant, sides)
    randomise(source, variant)
    checkpoint = folder / (name + ".h5")
    save(source, str(checkpoint))
    for run_sides in runs:
        tf.keras.backend.clear_session()
        model = build(variant, run_sides)
        load(model, checkpoint, resized=tuple(run_sides) != tuple(sides))
        images = draw_scene(variant, run_sides)
        out = folder / f"{name}_at_{run_sides[0]}x{run_sides[1]}.npz"
        np.savez_compressed(out, images=images, logits=np.asarray(model(images, training=False)))


def parse_sides(text):
    height, width = text.split("x")
    return int(height), int(width)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("write", "read"))
    parser.add_argument("variant")
    parser.add_argument("sides", type=parse_sides)
    parser.add_argument("--run", type=parse_sides, nargs="+", default=[])
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--checkpoint", type=pathlib.Path)
    parser.add_argument("--images", type=pathlib.Path)
    parser.add_argument("--answer", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.task == "write":
        write_files(arguments.variant, arguments.sides, arguments.run, arguments.folder)
    else:
        model = build(arguments.variant, arguments.sides)
        load_exactly(model, arguments.checkpoint)
        images = np.load(arguments.images)["images"]
        np.savez_compressed(arguments.answer, logits=np.asarray(model(images, training=False)))


if __name__ == "__main__":
    main()
