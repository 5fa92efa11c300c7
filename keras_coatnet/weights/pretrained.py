"""From what `pretrained=` says to loaded weights."""

import os

from keras_coatnet.weights.checkpoint import load_checkpoint


def find_pretrained(pretrained, variant):
    """The file that `pretrained` means, found before a model is built.

    Args:
        pretrained: path of a checkpoint.
        variant: name of the architecture, for the message.

    Raises: ValueError where there is no such file.
    """
    path = os.path.expanduser(os.fspath(pretrained))
    if not os.path.isfile(path):
        raise ValueError(
            f"pretrained for {variant} must be the path of a checkpoint file; got {os.fspath(pretrained)!r}, "
            "where there is none."
        )
    return path


def load_pretrained(model, path):
    """Load a checkpoint into a model that was built for it, and return the model."""
    load_checkpoint(model, path)
    return model
