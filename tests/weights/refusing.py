"""Files that a model has to refuse."""

import pytest
from checkpoints import untouched

import keras_coatnet as kc

SHAPE = (64, 64, 3)
# More than any machine has: had one of them been allocated, the test would not end well.
HUGE = 2**50


def saved(model, source, path):
    kc.save_checkpoint(model, path, source)
    return path


def refused(model, path, complaint):
    """Loading raises one ValueError that names the file, and leaves the model alone."""
    with untouched(model), pytest.raises(ValueError, match=complaint) as error:
        kc.load_checkpoint(model, path)
    assert path.name in str(error.value)
