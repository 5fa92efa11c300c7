"""The keys of `.weights.h5` files are frozen: a key that changes makes every file written before unreadable."""

from pathlib import Path

import h5py
import pytest

import keras_coatnet as kc

GOLDEN = Path(__file__).parents[1] / "goldens" / "weights_h5_keys.txt"
# MBConv with a table, ConvNeXt blocks, the network over log offsets, a hidden head: all that has weights of its own.
# Serial blocks with a head on one class token; parallel blocks with a head on three.
VARIANTS = ("coatnet_0", "coatnext_nano_rw", "coatnet_rmlp_2_rw", "coatnet_0_timm", "coat_lite_tiny", "coat_mini")
DEPTHS, WIDTHS, STEM = (1, 1, 2, 1), (32, 64, 64, 96), (8, 16)
TWINS = {
    "coatnet_0": (DEPTHS, WIDTHS, 8),
    "coat_lite_tiny": (DEPTHS, (8, 16, 24, 32)),
    "coat_mini": ((*DEPTHS, 2), (8, 16, 16, 16)),
}


def stored_keys(name, folder):
    """["key shape", ...] of the file of a narrow twin, in the file's order."""
    twin = kc.narrow(name, *TWINS.get(name, (DEPTHS, WIDTHS, STEM)))
    path = folder / "twin.weights.h5"
    kc.build(twin, input_shape=(64, 96, 3)).save_weights(path)
    found = []

    def note(key, entry):
        if isinstance(entry, h5py.Dataset):
            found.append(f"{key} {entry.shape}")

    with h5py.File(path) as file:
        file.visititems(note)
    return found


def golden_keys():
    """{variant: ["key shape", ...]}: a line with one word opens a variant."""
    sections, lines = {}, []
    for line in GOLDEN.read_text().splitlines():
        if " " not in line:
            lines = sections[line] = []
        else:
            lines.append(line)
    return sections


@pytest.mark.parametrize("name", VARIANTS)
def test_keys_and_shapes_are_the_frozen_ones(name, tmp_path):
    assert sorted(stored_keys(name, tmp_path)) == sorted(golden_keys()[name])


def test_every_frozen_variant_is_tested():
    assert tuple(golden_keys()) == VARIANTS
