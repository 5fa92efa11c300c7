"""A hidden folder beside the file to be: it is written there under its own name, and moved out when it is good."""

import contextlib
import json
import os
import shutil
import tempfile

METADATA_ENDING = ".json"
# What makes a folder a SavedModel, and so one that may be replaced.
SAVED_MODEL_FILE = "saved_model.pb"


def target_of(path):
    """The absolute path of the file or folder to be."""
    return os.path.abspath(os.path.expanduser(os.fspath(path)))


def check_target(path, format, force):
    """Refuses to write where nothing can be written, or over what is there.

    Raises: FileNotFoundError for a missing folder, FileExistsError for what is there and not to be replaced.
    """
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"There is no folder {folder} to write {name} into.")
    there = [each for each in all_paths(path, format) if os.path.lexists(each)]
    if not there:
        return
    if format.is_folder != os.path.isdir(there[0]):
        kind = "folder" if os.path.isdir(there[0]) else "file"
        raise FileExistsError(f"{there[0]} is a {kind} and not replaced by a {format.name}; choose another path.")
    # Of a wrong path to a folder full of other things nothing is lost.
    if format.is_folder and os.listdir(path) and not os.path.isfile(os.path.join(path, SAVED_MODEL_FILE)):
        raise FileExistsError(
            f"{path} holds other things than a SavedModel and is never replaced; choose another path."
        )
    if not force:
        raise FileExistsError(f"{there[0]} is there already; force=True replaces it.")


def all_paths(path, format):
    """The file or folder and what lies beside it, in this order."""
    stem = os.path.splitext(path)[0]
    beside = [stem + ending for ending in format.companions]
    return [path, *beside, *([] if format.embeds_metadata else [path + METADATA_ENDING])]


@contextlib.contextmanager
def staging(path, format):
    """Yields the path to write to; on leaving, what lies there is moved to `path`, or removed after an error.

    The folder is hidden and on the same disk, so that moving is one step and a process that is killed leaves nothing
    under the name of `path`.
    """
    folder, name = os.path.split(path)
    temporary = tempfile.mkdtemp(prefix=f".{name}-", dir=folder)
    try:
        staged = os.path.join(temporary, name)
        yield staged
        _move(staged, path, format, os.path.join(temporary, "replaced"))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _move(staged, path, format, replaced):
    pairs = list(zip(all_paths(staged, format), all_paths(path, format), strict=True))
    # Of several the old file goes first and the new one comes last: halves of different files are never there.
    if os.path.lexists(path) and (format.is_folder or len(pairs) > 1):
        os.rename(path, replaced)
    for source, destination in reversed(pairs):
        os.replace(source, destination)


def write_metadata_beside(path, metadata):
    """Writes the `FILE.json` of a format that has no place for metadata."""
    with open(path + METADATA_ENDING, "w", encoding="utf-8") as file:
        json.dump(metadata, file, ensure_ascii=False, indent=1)
        file.write("\n")


def read_metadata_beside(path):
    """What `write_metadata_beside` wrote; None where there is nothing that can be read."""
    try:
        with open(path + METADATA_ENDING, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def size_of(path, format):
    """Bytes of a file and its companions, or of all files of a folder; without metadata beside it."""
    if format.is_folder:
        files = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
    else:
        files = [path, *(os.path.splitext(path)[0] + ending for ending in format.companions)]
    return sum(os.path.getsize(file) for file in files)
