"""HDF5 read with care: no link is followed, and nothing larger than what is stored is allocated.

An HDF5 file can point into other files of the machine that reads it (external and soft links, external storage, virtual
datasets) and can declare a dataset of any size without storing it. No checkpoint needs any of it.
"""

import math

import h5py
import numpy as np

# Of compressed datasets: how many times their stored size they may unpack to.
LARGEST_RATIO = 100
NUMBERS = "fiub"


def find_child(group, path):
    """The group or dataset at a path below a group; None where there is nothing.

    Raises: ValueError where a link on the way leads anywhere but to what is stored there.
    """
    found = group
    for name in filter(None, path.split("/")):
        link = found.get(name, getlink=True) if isinstance(found, h5py.Group) else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{found.name.rstrip('/')}/{name} is a link to another place{_target(link)}")
        found = found[name]
    return found


def _target(link):
    if isinstance(link, h5py.ExternalLink):
        return f", {link.path} in the file {link.filename}"
    return f", {link.path}" if isinstance(link, h5py.SoftLink) else ""


def get_child(group, path):
    """`find_child` of something that has to be there.

    Raises: ValueError where it is not.
    """
    found = find_child(group, path)
    if found is None:
        raise ValueError(f"{group.name.rstrip('/')}/{path} is not there")
    return found


def visit(found, seen):
    """Note a group or dataset. Hard links could hang it in a file a thousand times, or inside itself.

    Raises: ValueError where it was seen before.
    """
    if found.id in seen:
        raise ValueError(f"{found.name} is in the file in two places")
    seen.add(found.id)


def read_array(dataset, seen, dtype=None):
    """The numbers of a dataset, as an array.

    Args:
        dataset: from `find_child`.
        seen: set of what was read before.
        dtype: to read them as, for types that HDF5 has no name for; None is the dataset's own.

    Raises: ValueError for what is no dataset of numbers, lies outside the file, or is larger than what is stored.
    """
    visit(dataset, seen)
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
        raise ValueError(f"{dataset.name} holds no array")
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"{dataset.name} keeps its values in other files")
    if dataset.dtype.kind not in NUMBERS and dtype is None:
        raise ValueError(f"{dataset.name} holds no numbers but {dataset.dtype}")
    declared, stored = math.prod(dataset.shape) * dataset.dtype.itemsize, dataset.id.get_storage_size()
    is_filtered = dataset.id.get_create_plist().get_nfilters() > 0
    if declared > stored * (LARGEST_RATIO if is_filtered else 1):
        raise ValueError(
            f"{dataset.name} declares the shape {dataset.shape}, {declared:,} bytes, and stores {stored:,}"
        )
    return np.array(dataset, dtype=dtype)
