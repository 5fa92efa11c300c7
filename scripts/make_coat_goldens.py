"""Make the goldens of `tests/goldens/coat`: checkpoints of narrow twins and what timm and the authors' code answer.

Run once in an environment with timm 1.0.31: python scripts/make_coat_goldens.py KIT
KIT is a folder with `cases.json`, checkpoints and answers of twins whose tensors are all random. Chosen ones are packed
here (one image each; files in parts of at most 190 kB), and inputs and outputs of single layers are recorded.
"""

import argparse
import gzip
import json
import pathlib

import numpy as np
import torch
from peers import timm_peer  # noqa: F401 - lets timm import torchvision of another build
from timm.models.coat import CoaT

GOLDENS = pathlib.Path(__file__).resolve().parents[1] / "tests" / "goldens" / "coat"
# By name: norms whose inputs are near their epsilon; the authors' own answers off multiples of 32.
CHOSEN = ("lite_medium", "lite_eps", "small", "eps", "official_mini", "official_mini_100x116", "official_mini_33x47")
WITH_LAYERS = ("lite_medium", "small")
PART = 195_000
DEPTHS = {"coat_lite_medium": 0, "coat_small": 6}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kit", type=pathlib.Path)
    kit = parser.parse_args().kit
    GOLDENS.mkdir(parents=True, exist_ok=True)
    records = [record for record in json.loads((kit / "cases.json").read_text()) if record["name"] in CHOSEN]
    for record in records:
        answers = {key: value[:1] for key, value in np.load(kit / record["io"]).items()}
        np.savez_compressed(GOLDENS / record["io"], **answers)
        record["parts"] = pack(kit / record["checkpoint"])
        record["layers"] = []
        if record["name"] in WITH_LAYERS:
            record["layers"] = record_layers(record, kit / record["checkpoint"], answers["input"])
        record["keys"] = (kit / record["keys"]).read_text().split()
    # The names are those of the checkpoint, not of the size.
    lines = [json.dumps({key: value for key, value in record.items() if key != "keys"}) for record in records]
    (GOLDENS / "cases.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    names = {record["checkpoint"]: record["keys"] for record in records}
    text = "\n".join(f"{file}\n" + "\n".join(f"  {name}" for name in found) for file, found in names.items())
    (GOLDENS / "timm_names.txt.gz").write_bytes(gzip.compress((text + "\n").encode(), 9, mtime=0))


def pack(path):
    """Write a file gzipped in parts; returns their names."""
    content = gzip.compress(path.read_bytes(), 9, mtime=0)
    parts = [content[start : start + PART] for start in range(0, len(content), PART)]
    names = [f"{path.name}.gz.{number}" for number in range(1, len(parts) + 1)]
    for name, part in zip(names, parts, strict=True):
        (GOLDENS / name).write_bytes(part)
    return names


@torch.no_grad()
def record_layers(record, checkpoint, images):
    """Write what goes into single modules of timm and what comes out; returns their rows."""
    from argparse import Namespace

    settings = {key: tuple(value) for key, value in record["overrides"].items()}
    settings = {"parallel_depth": DEPTHS[record["base"]], "mlp_ratios": (4, 4, 4, 4), **settings}
    height, width, _ = record["input_shape"]
    model = CoaT((height, width), patch_size=4, num_classes=record["num_classes"], num_heads=8, **settings).eval()
    with torch.serialization.safe_globals([Namespace]):
        state = torch.load(checkpoint, weights_only=True)["model"]
    wanted = model.state_dict().keys()
    model.load_state_dict({name: value for name, value in state.items() if name in wanted})
    found = {}

    def watch(name, module):
        def note(module, arguments, output):
            tensors = [*arguments, *(output if isinstance(output, tuple) else [output])]
            found.setdefault(name, [value.numpy().copy() for value in tensors if isinstance(value, torch.Tensor)])

        module.register_forward_hook(note)

    watch("patch_embed2", model.patch_embed2)
    watch("cpe2", model.cpe2)
    watch("attention2", model.serial_blocks2[0].factoratt_crpe)
    watch("serial2", model.serial_blocks2[0])
    if model.parallel_blocks is not None:
        watch("parallel1", model.parallel_blocks[0])
    model(torch.from_numpy(images.transpose(0, 3, 1, 2)).contiguous())
    arrays = {f"{name}.{number}": array for name, values in found.items() for number, array in enumerate(values)}
    np.savez_compressed(GOLDENS / f"{record['name']}_layers.npz", **arrays)
    return sorted(found)


if __name__ == "__main__":
    main()
