"""PyTorch's pickles, zipped or old, read by its weights-only loader: no code of the file runs."""

import argparse
import re

import numpy as np

from keras_coatnet.weights.formats.file import CheckpointFile


def read_torch(path, containers=(), prefixes=()):
    """Read a file.

    Args:
        path: of a `.pth`, `.pt` or `.bin` file.
        containers: keys under which the tensors may lie, in the order to try; the dictionary itself comes last.
        prefixes: of all names, stripped.

    Raises: ImportError without torch; ValueError for a file that is damaged, wants code to run or holds no tensors.
    """
    torch = import_torch(path)
    try:
        # Training scripts keep their arguments beside the weights; the class holds plain values.
        with torch.serialization.safe_globals([argparse.Namespace]):
            tree = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(
            f"{path} cannot be read by PyTorch's weights-only loader, which runs no code of a file: {reason}"
        ) from error
    tensors = find_tensors(tree, containers, torch)
    if not tensors:
        found = ", ".join(map(str, list(tree)[:8])) if isinstance(tree, dict) else type(tree).__name__
        raise ValueError(f"{path} holds no dictionary of tensors; it holds: {found}.")
    strip = re.compile("^(" + "|".join(map(re.escape, prefixes)) + ")+") if prefixes else None
    arrays = {strip.sub("", name) if strip else name: to_numpy(tensor, torch) for name, tensor in tensors.items()}
    return CheckpointFile(path, "torch", arrays)


def import_torch(path):
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"{path} is a PyTorch file: install torch to read or write it (pip install torch)."
        ) from error
    return torch


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
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def write_torch(path, arrays):
    """Write name -> array as a state dictionary."""
    torch = import_torch(path)
    torch.save({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}, path)
