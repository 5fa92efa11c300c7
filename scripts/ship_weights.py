"""Make the small model's weights for the package out of a training run, and print what the manifest says of the file.

    KERAS_BACKEND=jax python scripts/ship_weights.py run/model.weights.h5

Kernels are kept in float16, which halves the file; vectors (norms, their statistics, biases) stay as they are, since
small variances would not survive.
"""

import argparse
import hashlib
import tempfile
from pathlib import Path

import h5py
import numpy as np

import keras_coatnet as kc
from keras_coatnet.weights.in_package import FOLDER

SHIPPED_VARIANT, SHIPPED_TAG = "coatnet_tiny64", "tiny-imagenet"
LARGEST_FILE = 8_000_000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", metavar="FILE", help=f"weights of a {SHIPPED_VARIANT}")
    options = parser.parse_args()
    target = FOLDER / f"{SHIPPED_VARIANT}.{SHIPPED_TAG}.weights.h5"
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        # Through a model of the row: whatever the run was called, the names are the row's.
        whole = Path(folder) / "whole.weights.h5"
        kc.build(SHIPPED_VARIANT, pretrained=options.weights).save_weights(whole)
        write_small(whole, target)
    content = target.read_bytes()
    if len(content) > LARGEST_FILE:
        raise SystemExit(f"{target.name} has {len(content):,} bytes, more than {LARGEST_FILE:,}")
    print(f"file: {target.name}\nsize: {len(content)}\nsha256: {hashlib.sha256(content).hexdigest()}")


def write_small(source, target):
    """A copy with matrices in float16, without the times that HDF5 would note."""
    with h5py.File(source) as whole, h5py.File(target, "w", track_order=False) as small:

        def copy(name, entry):
            if isinstance(entry, h5py.Group):
                made = small.require_group(name)
            else:
                made = small.create_dataset(name, data=shortened(entry[()]), track_times=False)
            made.attrs.update(entry.attrs)  # among them the layers' names

        whole.visititems(copy)


def shortened(array):
    if array.ndim < 2 or array.dtype != np.float32:
        return array
    short = array.astype(np.float16)
    if not np.isfinite(short).all():
        raise SystemExit("a weight is too large for float16")
    return short


if __name__ == "__main__":
    main()
