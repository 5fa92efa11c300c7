"""Folders of small photographs for tests: noise of different sizes, some of them broken."""

import sys

import numpy as np
from PIL import Image


def make_photos(folder, broken=(), **counts):
    """`counts` pictures a class folder, named 0.png and on; those numbered in `broken` hold no picture.

    Sizes differ and no two pictures are equal.
    """
    generator = np.random.default_rng(0)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for index in range(count):
            file = folder / name / f"{index}.png"
            if index in broken:
                file.write_text("no picture")
                continue
            pixels = generator.integers(0, 256, (20 + index % 3, 26 - index % 5, 3), np.uint8)
            Image.fromarray(pixels).save(file)
    return folder


class LoadedModules:
    """Rows that say in an error what their process has loaded."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        raise KeyError(" ".join(f"{name} {name in sys.modules}" for name in ("keras", "tensorflow", "jax", "torch")))
