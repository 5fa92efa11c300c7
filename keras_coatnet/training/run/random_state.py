"""The random states of a process: Python's, NumPy's, Keras' and PyTorch's, as plain data that a checkpoint can hold.

Layers with a generator of their own, such as dropout, keep its state among the model's variables.
"""

import random
import sys

import keras
import numpy as np

# Where Keras keeps the generator of what is drawn without a seed.
KERAS_GENERATOR = "global_seed_generator"


def read_random_states():
    """The present states: a dictionary of what JSON can hold."""
    version, numbers, spare = random.getstate()
    name, keys, position, has_gauss, gauss = np.random.get_state()
    states = {
        "python": [version, list(numbers), spare],
        "numpy": [name, keys.tolist(), position, has_gauss, gauss],
    }
    generator = _keras_generator()
    if generator is not None:
        states["keras"] = np.asarray(keras.ops.convert_to_numpy(generator.state.value)).tolist()
    torch = _torch_of_the_backend()
    if torch is not None:
        # Keras' dropout on PyTorch draws from PyTorch's own generators where it has no seed.
        states["torch"] = torch.get_rng_state().tolist()
        states["torch_cuda"] = [state.tolist() for state in torch.cuda.get_rng_state_all()]
    return states


def write_random_states(states):
    """Puts back what `read_random_states` gave; states of libraries that are not in use are left out."""
    version, numbers, spare = states["python"]
    random.setstate((version, tuple(numbers), spare))
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))
    generator = _keras_generator()
    if generator is not None and "keras" in states:
        generator.state.assign(np.array(states["keras"]))
    torch = _torch_of_the_backend()
    if torch is not None and "torch" in states:
        torch.set_rng_state(torch.tensor(states["torch"], dtype=torch.uint8, device="cpu"))
        devices = states["torch_cuda"]
        if len(devices) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all([torch.tensor(each, dtype=torch.uint8, device="cpu") for each in devices])


def _keras_generator():
    """None where nothing has been drawn without a seed yet."""
    from keras.src.backend.common import global_state

    return global_state.get_global_attribute(KERAS_GENERATOR)


def _torch_of_the_backend():
    return sys.modules["torch"] if keras.backend.backend() == "torch" else None
