"""timm's own CoAtNets: built, filled with random tensors, saved, loaded strictly, run.

Needs timm 1.0.31 and torch. As a program, in the folder `scripts`:
  python -m peers.timm_peer write coatnet_0_rw 224x224 --run 224x224 256x288 --folder OUT
  python -m peers.timm_peer read coatnet_0_rw 224x224 --checkpoint FILE --images FILE.npz --answer FILE.npz
"""

import argparse
import contextlib
import dataclasses
import pathlib
import sys

import numpy as np
import torch

from peers.tensors import draw, draw_scene, generator_for


@contextlib.contextmanager
def _tolerant_registration():
    """timm imports torchvision, which fails with another torch build where it registers operators not needed here."""
    register = torch.library.register_fake

    def tolerant(name, *args, **kwargs):
        def wrap(function):
            try:
                return register(name, *args, **kwargs)(function)
            except RuntimeError:
                return function

        return wrap

    torch.library.register_fake = tolerant
    try:
        yield
    finally:
        torch.library.register_fake = register


with _tolerant_registration():
    import torchvision  # noqa: F401

from timm.models.maxxvit import MaxxVit, checkpoint_filter_fn, model_cfgs  # noqa: E402 (after the line above)

NAME = "timm"


def build(variant, sides, num_classes=1000, narrowing=None):
    """timm's model in inference mode.

    Args:
        variant: our name: timm's without the size, `coatnet_0_timm` for its paper-like `coatnet_0`.
        sides: (H, W) of the images.
        num_classes: of the classifier.
        narrowing: (depths, widths, stem) of a narrow twin.
    """
    config = model_cfgs[variant.removesuffix("_timm")]
    if narrowing is not None:
        depths, widths, stem = narrowing
        hidden = {"head_hidden_size": widths[-1]} if config.head_hidden_size else {}
        config = dataclasses.replace(config, depths=depths, embed_dim=widths, stem_width=stem, **hidden)
    return MaxxVit(config, img_size=tuple(sides), num_classes=num_classes).eval()


def randomise(model, seed):
    """Give every parameter and statistic a random value."""
    # Without a LayerNorm the maps of coatnet_bn_0_rw grow until rounding errors of any code fill its attention.
    quiet = not any(isinstance(module, torch.nn.LayerNorm) for module in model.modules())
    state = model.state_dict()
    for name, tensor in state.items():
        kind, fan_in, gain = _role(name, tuple(tensor.shape), quiet)
        state[name] = torch.from_numpy(draw(generator_for(seed, name), kind, tuple(tensor.shape), fan_in, gain))
    model.load_state_dict(state)


def _role(name, shape, quiet):
    """(kind, fan_in, gain) of a tensor for `draw`."""
    leaf = name.rsplit(".", 1)[-1]
    kinds = {
        "num_batches_tracked": "counter",
        "running_mean": "mean",
        "running_var": "variance",
        "gamma": "layer_scale",
        "relative_position_bias_table": "table",
        "bias": "bias",
    }
    if leaf in kinds:
        return kinds[leaf], 1, 1.0
    if len(shape) == 1:
        return "norm_scale", 1, 1.0
    gain = 1.0
    if ".rel_pos." in name or ".qkv." in name or ".se" in name:
        gain = 2.0
    if quiet and any(part in name for part in (".attn.qkv.", ".attn.proj.", ".mlp.fc2.")):
        gain = 0.25
    return "kernel", int(np.prod(shape[1:])), gain


def save(model, path):
    """Write the state dict as `.safetensors`, or pickled with a training script's wrapping for any other ending."""
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    if str(path).endswith(".safetensors"):
        from safetensors.torch import save_file

        save_file(state, str(path))
    else:
        torch.save({"state_dict": state, "epoch": 3, "arch": "coatnet"}, str(path))


def load(model, path, strict_names=True):
    """Load a file as timm does, with its own resizing of tables; every name has to be there."""
    if str(path).endswith(".safetensors"):
        from safetensors.torch import load_file

        state = load_file(str(path))
    else:
        state = torch.load(str(path), map_location="cpu", weights_only=True)
        state = state.get("state_dict", state)
    model.load_state_dict(checkpoint_filter_fn(state, model), strict=strict_names)


def load_exactly(model, path):
    """Load a file into a model of its own size, nothing renamed, resized or reshaped on the way."""
    from safetensors.torch import load_file

    model.load_state_dict(load_file(str(path)), strict=True)


@torch.no_grad()
def run(model, images, double=False):
    """{"stem", "stage1" ... "logits"}: NHWC arrays."""
    x = _to_torch(images, double)
    maps = {"stem": model.stem(x)}
    x = maps["stem"]
    for number, stage in enumerate(model.stages, start=1):
        x = maps[f"stage{number}"] = stage(x)
    maps["logits"] = model.forward_head(model.norm(x))
    return {name: to_nhwc(value) for name, value in maps.items()}


def _to_torch(images, double=False):
    x = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    return x.double() if double else x


def to_nhwc(value):
    value = value.permute(0, 2, 3, 1) if value.ndim == 4 else value
    return value.contiguous().numpy()


def rounding(model, images, answer, run=run):
    """Largest difference between float32 and float64 logits over the largest logit: what is noise in any comparison."""
    exact = run(model.double(), images, double=True)["logits"]
    model.float()
    return float(np.abs(answer["logits"] - exact).max() / np.abs(exact).max())


@torch.no_grad()
def run_layers(model, images):
    """What goes into each block, attention and squeeze-excite, and what comes out.

    Returns: {our layer's path: (input, output)}, NHWC; relative position biases are (heads, N, N).
    """
    found, hooks = {}, []

    def watch(path, module):
        def record(module, arguments, output):
            found[path] = (to_nhwc(arguments[0]), to_nhwc(output))

        hooks.append(module.register_forward_hook(record))

    watch("stem", model.stem)
    for path, block in _blocks(model):
        watch(path, block)
        for attribute, name in (("attn", "attention"), ("se_early", "squeeze_excite"), ("se", "squeeze_excite")):
            module = getattr(block, attribute, None)
            if module is not None and not isinstance(module, torch.nn.Identity):
                watch(f"{path}/{name}", module)
    model(_to_torch(images))
    for hook in hooks:
        hook.remove()
    for path, block in _blocks(model):
        if hasattr(block, "attn"):
            bias = block.attn.rel_pos.get_bias()[0].contiguous().numpy()
            found[f"{path}/attention/relative_position_bias"] = (found[f"{path}/attention"][0], bias)
    return found


def _blocks(model):
    for stage, layers in enumerate(model.stages, start=1):
        for number, block in enumerate(layers.blocks, start=1):
            yield f"stage{stage}_block{number}", block


def write_files(peer, variant, sides, runs, folder, suffix):
    """A checkpoint of random tensors and, for each size, images with timm's answer and its rounding error."""
    name = f"{variant}_{sides[0]}x{sides[1]}"
    source = peer.build(variant, sides)
    peer.randomise(source, variant)
    checkpoint = folder / (name + suffix)
    peer.save(source, checkpoint)
    for run_sides in runs:
        model = peer.build(variant, run_sides)
        peer.load(model, checkpoint)
        images = draw_scene(variant, run_sides)
        answer = peer.run(model, images)
        noise = peer.rounding(model, images, answer)
        out = folder / f"{name}_at_{run_sides[0]}x{run_sides[1]}.npz"
        np.savez_compressed(out, images=images, logits=answer["logits"], rounding=noise)


def parse_sides(text):
    height, width = text.split("x")
    return int(height), int(width)


def main(peer):
    """Do one task.

    Args:
        peer: this module, or another with the same functions.
    """
    parser = argparse.ArgumentParser(description=peer.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("write", "read"))
    parser.add_argument("variant")
    parser.add_argument("sides", type=parse_sides)
    parser.add_argument("--run", type=parse_sides, nargs="+", default=[])
    parser.add_argument("--suffix", default=".safetensors")
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--checkpoint", type=pathlib.Path)
    parser.add_argument("--images", type=pathlib.Path)
    parser.add_argument("--answer", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.task == "write":
        write_files(peer, arguments.variant, arguments.sides, arguments.run, arguments.folder, arguments.suffix)
    else:
        model = peer.build(arguments.variant, arguments.sides)
        peer.load_exactly(model, arguments.checkpoint)
        answer = peer.run(model, np.load(arguments.images)["images"])
        np.savez_compressed(arguments.answer, logits=answer["logits"])


if __name__ == "__main__":
    main(sys.modules[__name__])
