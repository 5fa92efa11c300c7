"""What a run goes on from: every variable, the random states, the place in the data and the history, in one file.

The file is an .npz of arrays with a JSON text among them, the same on all backends, and there whole or not at all: its
writer makes another file beside it and moves it into its place.
"""

import contextlib
import json
import os
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_coatnet.training.data.order import Position
from keras_coatnet.training.run.random_state import read_random_states, write_random_states
from keras_coatnet.training.scale.processes import is_first_process
from keras_coatnet.training.scale.values import whole_value
from keras_coatnet.weights.atomic import replacing

STATE_FILE = "state.npz"
FORMAT = 1
ABOUT = "about"


class NotFinite(ArithmeticError):
    """The loss or a variable is no longer a number."""


class BadCheckpoint(ValueError):
    """A checkpoint that cannot be read, or that is another model's."""


@dataclass
class RunState:
    """Where a run stands, beside its variables.

    Args:
        position: of the batch that comes next; behind an epoch's last batch, it is the evaluation that comes next.
        history: the rows of the finished epochs, a dictionary each.
        logs: training loss and metrics of the epoch so far.
        seconds: spent on the epoch so far.
        settings: what the run was started with, in words of whoever started it.
    """

    position: Position = field(default_factory=Position)
    history: list = field(default_factory=list)
    logs: dict = field(default_factory=dict)
    seconds: float = 0.0
    settings: Any = None


def save_state(folder, engine, model, state):
    """Writes all that a run needs to go on; of several processes the first one does, but all have to call this.

    Args:
        folder: gets `state.npz`; made if missing.
        engine: the compiled `keras.Model` that is fitted: `model`, or one around it.
        model: the one that is trained.
        state: `RunState`.

    Raises:
        NotFinite: some variable is not; the former file stays.
        OSError: it cannot be written; the former file stays.
    """
    arrays = {}
    for part, variables in _variables(engine, model).items():
        for index, variable in enumerate(variables):
            arrays[f"{part}/{index}"] = whole_value(variable)
            if part != "metrics" and not np.isfinite(arrays[f"{part}/{index}"]).all():
                raise NotFinite(f"{variable.path} is not finite")
    if not is_first_process():
        return
    about = {
        "format": FORMAT,
        "backend": keras.backend.backend(),
        "random": read_random_states(),
        "state": asdict(state) | {"position": list(state.position)},
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / STATE_FILE) as part, open(part, "wb") as file:
        np.savez(file, **arrays, **{ABOUT: np.array(json.dumps(about))})
        file.flush()
        # A machine that loses its power may otherwise have moved a file that was not written yet.
        os.fsync(file.fileno())


def read_about(folder):
    """What a checkpoint says of itself: a dictionary; None where there is none.

    Raises: BadCheckpoint.
    """
    file = Path(folder) / STATE_FILE
    if not file.is_file():
        return None
    with _opened(file) as arrays:
        return _about(arrays, file)


def load_state(folder, engine, model):
    """Puts everything back but the metrics, which `fit` resets; `load_metrics` does them.

    Returns: `RunState`; None where there is no checkpoint.
    Raises: BadCheckpoint for a damaged file, or one of other variables; nothing has been changed then.
    """
    file = Path(folder) / STATE_FILE
    if not file.is_file():
        return None
    with _opened(file) as arrays:
        about = _about(arrays, file)
        pairs = [pair for part in ("model", "optimizer") for pair in _pairs(arrays, file, engine, model, part)]
    for variable, value in pairs:
        variable.assign(value)
    write_random_states(about["random"])
    fields = about["state"]
    return RunState(**fields | {"position": Position(*fields["position"])})


def load_metrics(folder, engine, model):
    """Puts back the running means of the epoch that was broken off."""
    with _opened(Path(folder) / STATE_FILE) as arrays:
        pairs = _pairs(arrays, Path(folder) / STATE_FILE, engine, model, "metrics")
    for variable, value in pairs:
        variable.assign(value)


def remove_remains(folder):
    """Removes what a killed process left half written."""
    for file in Path(folder).glob(f".*-{STATE_FILE}"):
        file.unlink(missing_ok=True)


def _variables(engine, model):
    """Without a teacher's: what does not change is not kept."""
    return {"model": model.variables, "optimizer": engine.optimizer.variables, "metrics": engine.metrics_variables}


@contextlib.contextmanager
def _opened(file):
    """The arrays of a file, read when they are asked for."""
    with open(file, "rb") as handle:
        try:
            arrays = np.load(handle, allow_pickle=False)
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise BadCheckpoint(f"{file}: cannot be read ({error}); remove it to start anew") from None
        if not isinstance(arrays, np.lib.npyio.NpzFile):
            raise BadCheckpoint(f"{file}: cannot be read (it is no .npz); remove it to start anew")
        yield arrays


def _about(arrays, file):
    try:
        about = json.loads(str(arrays[ABOUT]))
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BadCheckpoint(f"{file}: not a checkpoint of a training run ({error}); remove it to start anew") from None
    if about.get("format") != FORMAT:
        raise BadCheckpoint(f"{file}: has format {about.get('format')!r}; this version reads {FORMAT}")
    return about


def _pairs(arrays, file, engine, model, part):
    """(variable, its value) of a part."""
    variables = _variables(engine, model)[part]
    count = sum(name.startswith(f"{part}/") for name in arrays.files)
    if count != len(variables):
        raise BadCheckpoint(f"{file}: holds {count} variables of the {part}, which has {len(variables)} here")
    pairs = []
    for index, variable in enumerate(variables):
        try:
            value = arrays[f"{part}/{index}"]
        except (ValueError, zipfile.BadZipFile) as error:
            raise BadCheckpoint(f"{file}: damaged ({error}); remove it to start anew") from None
        if value.shape != tuple(variable.shape):
            raise BadCheckpoint(f"{file}: {variable.path} has shape {value.shape} there and {variable.shape} here")
        pairs.append((variable, value))
    return pairs
