"""What lies in the cache: listed, hashed in full, cleared away."""

import dataclasses
import fnmatch
import os
import shutil

from keras_coatnet.weights.cache import (
    RECORD_ENDING,
    cache_home,
    distrust,
    find_damage,
    is_as_recorded,
    locked,
    measure,
    read_record,
    renew_record,
    writing,
)
from keras_coatnet.weights.converted import CONVERTED_ENDING, is_sound
from keras_coatnet.weights.download.part_file import PART_ENDING, PartFile
from keras_coatnet.weights.manifest import load_manifest

DOWNLOADED, CONVERTED, PARTIAL = "downloaded", "converted", "part of a download"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One file of the cache.

    Args:
        name: variant and tag of its row.
        input_size: of its row.
        kind: `DOWNLOADED`, `CONVERTED` or `PARTIAL`.
        path: of the file.
        size: in bytes.
    """

    name: str
    input_size: int
    kind: str
    path: str
    size: int

    @property
    def folder(self):
        return os.path.join(cache_home(), self.name, str(self.input_size))


def list_cache(pattern="*"):
    """The files of the cache, sorted: an `Entry` each.

    What has no record of ours and no row in the manifest is not the cache's and is left out, since a home may be any
    folder.

    Args:
        pattern: for variants, or variants and tags.
    """
    expected = {(row.name, str(row.input_size), file.file) for row in load_manifest() for file in row.files}
    entries = []
    for name, size in _row_folders():
        if not any(fnmatch.fnmatchcase(part, pattern) for part in (name, name.split(".")[0])):
            continue
        folder = os.path.join(cache_home(), name, size)
        for path in _files(folder):
            kind = _kind(path, (name, size, os.path.basename(path)) in expected)
            if kind is not None:
                entries.append(Entry(name, int(size), kind, path, os.path.getsize(path)))
    return entries


def _row_folders():
    """(variant and tag, size) of each folder that may be a row's."""
    home = cache_home()
    for name in _names(home):
        for size in _names(os.path.join(home, name)):
            if "." in name and size.isdecimal() and os.path.isdir(os.path.join(home, name, size)):
                yield name, size


def _names(folder):
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def _files(folder):
    paths = [os.path.join(folder, name) for name in _names(folder)]
    converted = os.path.join(folder, "converted")
    paths += [os.path.join(converted, name) for name in _names(converted) if name.endswith(CONVERTED_ENDING)]
    return [path for path in paths if os.path.isfile(path)]


def _kind(path, is_expected):
    if path.endswith(PART_ENDING):
        return PARTIAL if PartFile(path.removesuffix(PART_ENDING)).note is not None else None
    if path.endswith(RECORD_ENDING) or not (is_expected or read_record(path)):
        return None
    is_converted = os.path.basename(os.path.dirname(path)) == "converted"
    return CONVERTED if is_converted else DOWNLOADED


def verify(entry):
    """What is wrong with a file of the cache, which is hashed in full; None if it is sound."""
    if entry.kind == CONVERTED:
        return None if is_sound(entry.path, full=True) else "it is not what was written"
    for row in load_manifest():
        for file in row.files:
            if (row.name, row.input_size, file.file) == (entry.name, entry.input_size, os.path.basename(entry.path)):
                return find_damage(entry.path, file, full=True)
    return _differs_from_record(entry.path)


def _differs_from_record(path):
    """For files of a manifest that is not named any more: they have to be what they were."""
    record = read_record(path)
    measured = measure(path, with_md5=False)
    if measured.sha256 != record.sha256:
        distrust(path, record)
        return f"its sha256 is {measured.sha256}, and was {record.sha256} when it was checked"
    if not is_as_recorded(path, record):
        renew_record(path, dataclasses.replace(record, mtime_ns=measured.mtime_ns))
    return None


def clear(entries):
    """Remove all files of the rows that these entries belong to, records too: a next download starts from nothing.

    Raises: CacheError for a row that another process works on, or that cannot be removed.
    """
    for entry in {entry.folder: entry for entry in entries}.values():
        with locked(entry, "download", wait=False), locked(entry, "convert", wait=False), writing(entry.folder):
            shutil.rmtree(entry.folder)
            if not os.listdir(os.path.dirname(entry.folder)):
                os.rmdir(os.path.dirname(entry.folder))
