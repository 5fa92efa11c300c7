"""The weights of a manifest row once more as `.weights.h5`: converted once, then loaded fast.

A converted file is named after the hash of the file it was made from and the version of the conversion, so that neither
another source nor an older converter is ever taken for it.
"""

import glob
import logging
import os

from keras_coatnet.weights.atomic import replacing
from keras_coatnet.weights.cache import (
    CacheError,
    cached_path,
    distrust,
    is_as_recorded,
    locked,
    make_folder,
    measure,
    mismatch,
    read_record,
    renew_record,
    row_folder,
    write_record,
    writing,
)

logger = logging.getLogger("keras_coatnet")

# Goes up whenever the same source file would give other arrays or other names.
CONVERTER_VERSION = 1
CONVERTED_ENDING = ".weights.h5"
HASH_DIGITS = 16


def converted_path(row):
    """Where the converted weights of a row lie; None while no source file of it has been fetched."""
    for file in row.files:
        record = read_record(cached_path(row, file))
        if record is not None and mismatch(record, file) is None:
            name = f"{record.sha256[:HASH_DIGITS]}-v{CONVERTER_VERSION}{CONVERTED_ENDING}"
            return os.path.join(row_folder(row), "converted", name)
    return None


def load_converted(row, *, verify=False):
    """The path of the converted weights of a row; None where there are none that are whole.

    Args:
        row: `ManifestRow`.
        verify: hash the file, for one that did not load; else its size and time of change have to be the recorded ones.
    """
    path = converted_path(row)
    return path if path is not None and is_sound(path, verify) else None


def is_sound(path, full=False):
    """Whether a converted file is there and is what was recorded when it was written."""
    record = read_record(path)
    if record is None or not os.path.isfile(path):
        return False
    if not full and is_as_recorded(path, record):
        return True
    measured = measure(path, with_md5=False)
    sound = measured.sha256 == record.sha256
    (renew_record if sound else distrust)(path, measured if sound else record)
    return sound


def store_converted(row, write):
    """Keep the converted weights of a row.

    Args:
        row: `ManifestRow` whose source has been fetched.
        write: function that writes a `.weights.h5` at the path it gets; not called where another process was first.

    Returns: the path; None where it cannot be kept (a full disk, a cache that is read only), which is said in one line
        and costs the next start its speed, no more.
    """
    path = converted_path(row)
    if path is None:
        return None
    try:
        with locked(row, "convert"), writing(path):
            if not is_sound(path):
                _write(path, write)
    except CacheError as error:
        logger.warning("The converted weights are not kept, so the next start converts anew: %s", error)
        return None
    return path


def _write(path, write):
    make_folder(os.path.dirname(path))
    # Leftovers of a process that was killed here; nobody else writes while we hold the lock.
    for leftover in glob.glob(os.path.join(glob.escape(os.path.dirname(path)), ".*-" + os.path.basename(path))):
        os.remove(leftover)
    with replacing(path) as temporary:
        write(temporary)
    write_record(path, measure(path, with_md5=False))
