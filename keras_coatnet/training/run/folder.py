"""What a training run leaves, and how it knows itself again: model, weights, classes, recipe, history, report."""

import dataclasses
import errno
import hashlib
import json
import math
import os
import shutil
import tempfile
from pathlib import Path

import keras

from keras_coatnet.images.labels import CLASSES_FILE, write_labels
from keras_coatnet.training.run.checkpoints import read_about, remove_remains
from keras_coatnet.training.scale.processes import is_first_process
from keras_coatnet.training.scale.values import whole_value
from keras_coatnet.version import __version__
from keras_coatnet.weights.atomic import replacing

MODEL_FILE, WEIGHTS_FILE, RECIPE_FILE, RESUME_FOLDER = "model.keras", "model.weights.h5", "recipe.json", "resume"
# Words about a recipe, which may be told otherwise in a later version of this package.
TOLD_OF_A_RECIPE = ("recipe.source", "recipe.result", "recipe.published")
# What a file of weights takes: numbers, and names around each variable.
BYTES_A_NUMBER, PER_VARIABLE = 4, 4096


def save_run(model, classes, folder, weights_only=False):
    """Writes class names, the weights and the model; a file of either name is there whole or not at all.

    The model is written without its optimizer: two thirds of the size, and on PyTorch a file that no other backend
    could load.

    Args:
        model: `keras.Model`.
        classes: class names in the order of the outputs.
        folder: made if missing.
        weights_only: leaves out `model.keras`.

    Returns: the path of the model file; that of the weights if they are all.
    """
    folder, plain = Path(folder), uncompiled(model)
    written = folder / (WEIGHTS_FILE if weights_only else MODEL_FILE)
    if not is_first_process():
        return written
    folder.mkdir(parents=True, exist_ok=True)
    # The names go first: whoever finds a model finds its classes.
    with replacing(folder / CLASSES_FILE) as part:
        write_labels(part, classes)
    check_room(folder, weights_size(plain) * (1 if weights_only else 2))
    with replacing(folder / WEIGHTS_FILE) as part:
        plain.save_weights(part)
    if not weights_only:
        with replacing(folder / MODEL_FILE) as part:
            plain.save(part)
    return written


def weights_size(model):
    """About how many bytes a file of the weights takes."""
    return sum(math.prod(each.shape) * BYTES_A_NUMBER + PER_VARIABLE for each in model.weights)


def check_room(folder, size):
    """Raises OSError where a disk is too full; HDF5 would find out while it writes, and end the whole process."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".room-") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        elif shutil.disk_usage(folder).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def uncompiled(model):
    """A copy that knows nothing of its training, nor of several devices; all processes have to call this."""
    values = [whole_value(variable) for variable in model.weights]
    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        copy = model.__class__.from_config(model.get_config())
        copy.set_weights(values)
    finally:
        keras.distribution.set_distribution(distribution)
    return copy


def write_recipe(folder, about):
    """Writes recipe.json: what was done, in what words, and what came out."""
    about = about | {"keras_coatnet": __version__, "keras": keras.__version__, "backend": keras.backend.backend()}
    with replacing(Path(folder) / RECIPE_FILE) as part:
        Path(part).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def read_recipe(folder):
    """What recipe.json holds, a dictionary; None where there is none.

    Raises: ValueError for a file that is no recipe of a run.
    """
    file = Path(folder) / RECIPE_FILE
    if not file.is_file():
        return None
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
        return about if isinstance(about["settings"], dict) else None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file}: not what a training run writes ({error})") from None


def run_settings(recipe, spec, data, where, **others):
    """All that decides what comes out of a run, as plain data: two runs with the same settings are one.

    Args:
        recipe: `Recipe`.
        spec: of the model.
        data: `Data`.
        where: what `data` was opened from.
        others: seed, epochs and so on.
    """
    settings = {"recipe": dataclasses.asdict(recipe), "model": dataclasses.asdict(spec), "data": _digest(data, where)}
    return json.loads(json.dumps(settings | others))


def check_folder(folder, settings):
    """What a folder holds for a run: "nothing", "unfinished" or "finished".

    Raises: ValueError where it holds another run; the message names what differs.
    """
    remove_remains(Path(folder) / RESUME_FOLDER)
    about = read_about(Path(folder) / RESUME_FOLDER)
    kind, former = "unfinished", None if about is None else about["state"]["settings"]
    if about is None:
        about = read_recipe(folder)
        kind, former = "finished", None if about is None else about["settings"]
    if about is None:
        return "nothing"
    changes = differences(former or {}, settings)
    if changes:
        raise ValueError(
            f"{folder}: holds {'an' if kind == 'unfinished' else 'a'} {kind} run with other settings: "
            f"{'; '.join(changes[:3])}. Use the same command to go on with it, or another --out."
        )
    return kind


def differences(former, present):
    """Lines "epochs was 30, is 40" of all settings that differ; what is only told of a recipe decides nothing."""
    former, present = _flat(former), _flat(present)
    names = dict.fromkeys([*former, *present])
    return [
        f"{name} was {former.get(name)}, is {present.get(name)}"
        for name in names
        if former.get(name) != present.get(name) and name not in TOLD_OF_A_RECIPE
    ]


def end_run(folder):
    """Removes what only an unfinished run needs."""
    shutil.rmtree(Path(folder) / RESUME_FOLDER, ignore_errors=True)


def _flat(settings):
    flat = {}
    for name, value in settings.items():
        flat |= {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def _digest(data, where):
    """Classes, and which pictures are trained on and held out, wherever the folder has been moved to."""
    found = {"classes": len(data.classes), "train": len(data.train), "held_out": len(data.held_out)}
    digest = hashlib.sha256("\n".join(data.classes).encode())
    for part in (data.train, data.held_out):
        for index in range(len(part)):
            name = part.name(index)
            name = os.path.relpath(name, where) if os.path.isabs(name) or os.path.exists(str(where)) else name
            digest.update(f"{name}\n".encode(errors="surrogateescape"))
    return found | {"digest": digest.hexdigest()[:16]}
