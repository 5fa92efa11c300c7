"""timm's own CoaTs, and the authors' way with sizes that timm refuses: built, filled with random tensors, saved, run.

Needs timm 1.0.31 and torch. As a program, in the folder `scripts`, it takes the same arguments as `peers.timm_peer`.
"""

import argparse
import functools
import math
import sys

import torch
from torch.nn import functional

from peers import timm_peer
from peers.tensors import draw, draw_scene, generator_for  # noqa: F401 (draw_scene: part of what a peer offers)
from peers.timm_peer import load_exactly, to_nhwc  # noqa: F401 (the same for every timm model)

from timm.models import create_model  # isort: skip (timm_peer makes torchvision importable)
from timm.models.coat import checkpoint_filter_fn  # isort: skip

NAME = "timm"


def build(variant, sides, num_classes=1000):
    """timm's model in inference mode.

    Args:
        variant: our name, which is timm's.
        sides: (H, W) of the images. Off multiples of 32, timm's parallel blocks fail to add their scales up; there the
            authors' rule stands in for its fixed factors.
        num_classes: of the classifier.
    """
    model = create_model(variant, pretrained=False, img_size=tuple(sides), num_classes=num_classes)
    if any(side // 8 % 4 for side in sides):
        for block in getattr(model, "parallel_blocks", None) or ():
            resize_to_the_other_scale(block)
    return model.eval()


def resize_to_the_other_scale(block):
    """Have a parallel block resize to the sides of the scale it adds to, as the authors' code does."""
    known, forward = [], block.forward

    def remember(x1, x2, x3, x4, sizes):
        known[:] = sizes
        return forward(x1, x2, x3, x4, sizes)

    def interpolate(x, scale_factor, size):
        target = known[known.index(tuple(size)) - round(math.log2(scale_factor))]
        image = x[:, 1:].transpose(1, 2).reshape(len(x), -1, *size)
        image = functional.interpolate(image, size=target, mode="bilinear", align_corners=False)
        return torch.cat([x[:, :1], image.flatten(2).transpose(1, 2)], dim=1)

    block.forward, block.interpolate = remember, interpolate


@torch.no_grad()
def randomise(model, seed):
    """Give every tensor a random value; shared ones have one name here."""
    for name, parameter in model.named_parameters():
        kind, fan_in, gain = _role(name, tuple(parameter.shape))
        parameter.copy_(torch.from_numpy(draw(generator_for(seed, name), kind, tuple(parameter.shape), fan_in, gain)))


def _role(name, shape):
    """(kind, fan_in, gain) of a tensor for `draw`."""
    if name.startswith("cls_token"):
        return "kernel", 1, 0.7
    if name.endswith("bias"):
        return "bias", 1, 1.0
    if len(shape) == 1:
        return "norm_scale", 1, 1.0
    return "kernel", math.prod(shape[1:]), 1.5 if ".qkv." in name else 1.0


def save(model, path):
    """Write the state dict, every alias included.

    `.safetensors` and `.bin` are as timm keeps them; `.pth` is wrapped as the authors' training script does, with the
    norms that it keeps and never reads, and an average beside the weights that nobody evaluates.
    """
    state = model.state_dict()
    if str(path).endswith(".safetensors"):
        from safetensors.torch import save_file

        save_file({name: tensor.clone() for name, tensor in state.items()}, str(path))
    elif str(path).endswith(".bin"):
        torch.save(state, str(path))
    else:
        for scale in (1, 2, 3):
            width = state[f"cls_token{scale}"].shape[-1]
            for leaf in ("weight", "bias"):
                state.setdefault(f"norm{scale}.{leaf}", torch.full((width,), 7.0))
        average = {name: tensor + 1 for name, tensor in state.items()}
        arguments = argparse.Namespace(model="coat", lr=5e-4, output_dir="output")
        others = {"optimizer": {}, "lr_scheduler": {}, "epoch": 299, "model_ema": average, "args": arguments}
        torch.save({"model": state, **others}, str(path))


def load(model, path):
    """Load a file as timm does; every name has to be there."""
    if str(path).endswith(".safetensors"):
        from safetensors.torch import load_file

        state = load_file(str(path))
    else:
        with torch.serialization.safe_globals([argparse.Namespace]):
            state = torch.load(str(path), map_location="cpu", weights_only=True)
    model.load_state_dict(checkpoint_filter_fn(state, model), strict=True)


@torch.no_grad()
def run(model, images, double=False):
    """{"logits"}."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    return {"logits": to_nhwc(model(x.double() if double else x))}


rounding = functools.partial(timm_peer.rounding, run=run)

if __name__ == "__main__":
    timm_peer.main(sys.modules[__name__])
