"""Make the goldens of `tests/goldens`: checkpoints that a peer wrote, and what the peer itself answers.

Run it once for each peer, in an environment that has the peer (see `peers/timm_peer.py` and `peers/kecam_peer.py`):

    python scripts/make_goldens.py --peer timm
    python scripts/make_goldens.py --peer kecam

Every case is a narrow twin whose tensors are all random. Written for each: the peer's checkpoint (gzipped: the random
values are coarse, so they pack well), `NAME.npz` with the images `x`, the stage maps and the logits, and
`NAME_layers.npz` with the input and output of single layers. `cases.json` lists the cases; records of other cases in it
are kept. Values depend on the case's name alone, so a second run differs by float rounding at most.
"""

import argparse
import gzip
import importlib
import json
import pathlib
import tempfile

import numpy as np
from peers.tensors import draw_images

GOLDENS = pathlib.Path(__file__).resolve().parents[1] / "tests" / "goldens"
CLASSES = 7
LARGEST_FILE = 200_000

# `runs`: name of the record -> sides of its images; sides other than `sides` have their tables resized by the peer.
TIMM_CASES = [
    {
        "variant": "coatnet_0_rw",
        "narrowing": ((1, 2, 2, 1), (8, 32, 32, 32), (4, 8)),
        "sides": (64, 64),
        "runs": {"coatnet_0_rw": (64, 64), "coatnet_0_rw_at_64x96": (64, 96)},
        "layers": (
            "stage1_block1",
            "stage2_block2",
            "stage3_block1",
            "stage3_block2",
            "stage3_block2/attention",
            "stage3_block2/attention/relative_position_bias",
        ),
    },
    {
        "variant": "coatnet_rmlp_1_rw",
        "narrowing": ((1, 1, 2, 1), (8, 64, 32, 16), (4, 8)),
        "sides": (64, 64),
        "runs": {"coatnet_rmlp_1_rw_at_48x80": (48, 80)},
        "layers": (
            "stage1_block1",
            "stage3_block1",
            "stage3_block1/attention",
            "stage3_block1/attention/relative_position_bias",
        ),
    },
    {
        "variant": "coatnet_bn_0_rw",
        "narrowing": ((1, 2, 1, 1), (8, 32, 32, 32), (4, 8)),
        "sides": (32, 96),
        "runs": {"coatnet_bn_0_rw_32x96": (32, 96)},
        "layers": (
            "stem",
            "stage2_block1",
            "stage2_block2",
            "stage2_block2/squeeze_excite",
            "stage3_block1",
            "stage3_block1/attention",
        ),
    },
    {
        "variant": "coatnext_nano_rw",
        "narrowing": ((2, 1, 1, 1), (16, 32, 32, 32), (4, 8)),
        "sides": (64, 64),
        "runs": {"coatnext_nano_rw": (64, 64), "coatnext_nano_rw_at_32x32": (32, 32)},
        "layers": ("stem", "stage1_block1", "stage1_block2", "stage2_block1", "stage4_block1"),
    },
    {
        "variant": "coatnet_0_timm",
        "narrowing": ((1, 2, 1, 2), (8, 16, 32, 32), (8, 8)),
        "sides": (32, 96),
        "runs": {"coatnet_0_timm_32x96": (32, 96)},
        "layers": (
            "stage2_block1",
            "stage2_block2",
            "stage2_block2/squeeze_excite",
            "stage4_block1",
            "stage4_block2/attention/relative_position_bias",
        ),
    },
    {
        "variant": "coatnet_nano_cc",
        "narrowing": ((1, 1, 2, 2), (8, 8, 32, 32), (4, 8)),
        "sides": (64, 64),
        "runs": {"coatnet_nano_cc_at_64x32": (64, 32)},
        "layers": ("stage3_block2", "stage3_block2/attention"),
    },
]
# The other variants, one small twin each; the pickled one as `.pth`.
TIMM_CASES += [
    {
        "variant": variant,
        "narrowing": ((1, 1, 1, 1), (8, 32, 32, 32), (4, 8)),
        "sides": (32, 64),
        "runs": {f"{variant}_32x64": (32, 64)},
        "layers": (),
        "ending": ".pth" if variant == "coatnet_rmlp_nano_rw" else ".safetensors",
    }
    for variant in (
        "coatnet_pico_rw",
        "coatnet_nano_rw",
        "coatnet_1_rw",
        "coatnet_2_rw",
        "coatnet_3_rw",
        "coatnet_rmlp_nano_rw",
        "coatnet_rmlp_0_rw",
        "coatnet_rmlp_1_rw2",
        "coatnet_rmlp_2_rw",
        "test_coatnet",
    )
]
KECAM_CASES = [
    {
        "variant": "coatnet_0",
        "narrowing": ((2, 1, 2, 1), (8, 32, 32, 32), 8),
        "fields": {"head_dim": 16},
        "sides": (48, 48),
        "runs": {"coatnet_0_48x48": (48, 48), "coatnet_0_at_80x80": (80, 80)},
        "layers": (
            "stage1_block2",
            "stage2_block1",
            "stage3_block1",
            "stage3_block1/attention",
            "stage3_block2",
            "stage3_block2/attention",
            "stage3_block2/attention/relative_position_bias",
        ),
    },
    {
        "variant": "coatnet_0",
        "narrowing": ((1, 1, 1, 1), (8, 16, 32, 32), 8),
        "fields": {"head_dim": 16, "stride_in": "expand"},
        "sides": (64, 64),
        "whole_model": True,
        "runs": {"coatnet_0_expand": (64, 64)},
        "layers": ("stem", "stage1_block1", "stage2_block1", "stage2_block1/squeeze_excite"),
    },
    {
        "variant": "coatnet_0",
        "narrowing": ((1, 2, 1, 1), (8, 16, 32, 32), 8),
        "fields": {"head_dim": 16, "activation_first": True},
        "sides": (48, 48),
        "runs": {"coatnet_0_activation_first": (48, 48)},
        "layers": ("stem", "stage2_block1", "stage2_block2"),
    },
]
CASES = {"timm": TIMM_CASES, "kecam": KECAM_CASES}
ENDINGS = {"timm": ".safetensors", "kecam": ".h5"}


def make_case(peer, case, folder):
    """Write the files of one case.

    Returns: its records for `cases.json`, one a run.
    """
    name = next(iter(case["runs"]))
    checkpoint = name + case.get("ending", ENDINGS[peer.NAME])
    model = build(peer, case, case["sides"])
    peer.randomise(model, name)
    with tempfile.TemporaryDirectory() as temporary:
        path = pathlib.Path(temporary) / checkpoint
        peer.save(model, str(path), **({"whole_model": True} if case.get("whole_model") else {}))
        write_gzip(folder / f"{checkpoint}.gz", path.read_bytes())
        return [make_run(peer, case, path, folder, run, sides) for run, sides in case["runs"].items()]


def build(peer, case, sides):
    fields = {"fields": case["fields"]} if "fields" in case else {}
    return peer.build(case["variant"], sides, CLASSES, case["narrowing"], **fields)


def make_run(peer, case, path, folder, run, sides):
    model = build(peer, case, sides)
    resized = sides != case["sides"]
    peer.load(model, path, **({"resized": resized} if peer.NAME == "kecam" else {}))
    x = draw_images(run, sides)
    write_arrays(folder / f"{run}.npz", {"x": x, **peer.run(model, x)})
    depths, widths, stem = case["narrowing"]
    record = {
        "name": run,
        "base": case["variant"],
        "depths": depths,
        "widths": widths,
        "stem": stem,
        "fields": case.get("fields", {}),
        "input_shape": [*sides, 3],
        "num_classes": CLASSES,
        "checkpoint": f"{path.name}.gz",
        "saved_at": case["sides"],
        "layers": [],
    }
    # Once a checkpoint is enough for its layers, at the size where their numbers say most: the last.
    if case["layers"] and run == list(case["runs"])[-1]:
        found = peer.run_layers(model, x)
        record["layers"] = write_layers(folder / f"{run}_layers.npz", {layer: found[layer] for layer in case["layers"]})
    return record


def write_layers(path, layers):
    """Write inputs and outputs of layers, equal arrays once.

    Returns: [[layer, key of its input, key of its output], ...]
    """
    arrays, rows = {}, []

    def keep(key, array):
        for known, other in arrays.items():
            if np.array_equal(array, other):
                return known
        arrays[key] = array
        return key

    for layer, (x, y) in layers.items():
        rows.append([layer, keep(f"{layer}.input", x), keep(f"{layer}.output", y)])
    write_arrays(path, arrays)
    return rows


def write_arrays(path, arrays):
    np.savez_compressed(path, **{name: np.asarray(array, "float32") for name, array in arrays.items()})
    check_size(path)


def write_gzip(path, content):
    # No time in the header: the same content gives the same file.
    path.write_bytes(gzip.compress(content, 9, mtime=0))
    check_size(path)


def check_size(path):
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ValueError(f"{path.name} has {size} bytes; goldens may have {LARGEST_FILE}. Narrow the case.")


def write_records(path, records):
    """Replace the records of the same names; one record a line."""
    known = json.loads(path.read_text()) if path.exists() else []
    made = {record["name"] for record in records}
    lines = [json.dumps(record) for record in [*records, *(record for record in known if record["name"] not in made)]]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, choices=sorted(CASES))
    arguments = parser.parse_args()
    peer = importlib.import_module(f"peers.{arguments.peer}_peer")
    folder = GOLDENS / arguments.peer
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for case in CASES[arguments.peer]:
        made = make_case(peer, case, folder)
        records += made
        print(*(record["name"] for record in made), flush=True)
    write_records(folder / "cases.json", records)


if __name__ == "__main__":
    main()
