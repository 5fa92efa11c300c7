"""PyTorch's pickles, zipped or old, read by its weights-only loader: no code of the file runs."""

import argparse
import os
import re
import zipfile

import numpy as np

from keras_coatnet.weights.formats.file import CheckpointFile

LOADERS_ADVICE = ("Weights only load failed", "Please file an issue", "Check the documentation")


def read_torch(path, containers=(), prefixes=()):
    """Read a file.

    Args:
        path: of a `.pth`, `.pt` or `.bin` file.
        containers: keys under which the tensors may lie, in the order to try; the dictionary itself comes last.
        prefixes: of all names, stripped.

    Raises: ImportError without torch; ValueError for a file that is damaged, wants code to run or holds no tensors.
    """
    torch = import_torch(path)
    refuse_archive_bomb(path)
    try:
        # Training scripts keep their arguments beside the weights; the class holds plain values.
        with torch.serialization.safe_globals([argparse.Namespace]):
            tree = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read by PyTorch's weights-only loader, which runs no code of a file: "
            f"{find_reason(error)}."
        ) from error
    tensors = find_tensors(tree, containers, torch)
    if not tensors:
        found = ", ".join(map(str, list(tree)[:8])) if isinstance(tree, dict) else type(tree).__name__
        raise ValueError(f"{path} holds no dictionary of tensors; it holds: {found}.")
    for name, tensor in tensors.items():
        check_stored(tensor, f"{path}: {name}", torch)
    strip = re.compile("^(" + "|".join(map(re.escape, prefixes)) + ")+") if prefixes else None
    arrays = {strip.sub("", name) if strip else name: to_numpy(tensor, torch) for name, tensor in tensors.items()}
    return CheckpointFile(path, "torch", arrays)


def find_reason(error):
    """What of the loader's message is about the file; the rest advises to run its code all the same."""
    wanted = re.search(r"GLOBAL (\S+)", str(error))
    if wanted:
        return f"it asks for {wanted[1]}"
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith(LOADERS_ADVICE)]
    return told[0].rstrip(".") if told else type(error).__name__


def import_torch(path):
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"{path} is a PyTorch file: install torch to read or write it (pip install torch)."
        ) from error
    return torch


def refuse_archive_bomb(path):
    """PyTorch stores its tensors as they are; an archive that unpacks to more than its size was not written by it."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > os.path.getsize(path):
        raise ValueError(f"{path} unpacks to {unpacked:,} bytes, more than the {os.path.getsize(path):,} it has.")


def check_stored(tensor, name, torch):
    """Raise a ValueError for a tensor that is no plain array, or whose shape repeats what is stored."""
    is_plain = tensor.layout == torch.strided and tensor.device.type == "cpu"
    if not is_plain or tensor.is_quantized or tensor.is_complex():
        raise ValueError(f"{name} is no plain tensor: {tensor.layout}, {tensor.dtype}, {tensor.device}.")
    declared, stored = tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()
    if declared > stored:
        raise ValueError(f"{name} declares the shape {tuple(tensor.shape)}, {declared:,} bytes, and stores {stored:,}.")


def find_tensors(tree, containers, torch):
    """The first container that holds tensors, else the tree itself."""
    if not isinstance(tree, dict):
        return {}
    for candidate in (*(tree.get(key) for key in containers), tree):
        if isinstance(candidate, dict):
            tensors = {name: value for name, value in candidate.items() if isinstance(value, torch.Tensor)}
            if tensors:
                return tensors
    return {}


def to_numpy(tensor, torch):
    tensor = tensor.detach()
    # NumPy has neither bfloat16 nor the eight-bit types.
    is_known = not tensor.is_floating_point() or tensor.dtype in (torch.float16, torch.float32, torch.float64)
    return (tensor if is_known else tensor.float()).numpy()


def write_torch(path, arrays):
    """Write name -> array as a state dictionary."""
    torch = import_torch(path)
    torch.save({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}, path)
