"""The folder of downloaded files: where each lies, what was recorded of it, and whether it is still that.

    <home>/<variant>.<tag>/<input size>/<file>         a whole, checked file
                                        <file>.json    its size, time of change and hashes when it was checked
                                        <file>.part    a download under way, or cut and to be gone on with
                                        converted/     the same weights as .weights.h5, see `converted`
    <home>/locks/                                      one empty file for each row that is or was worked on

The home is what platformdirs calls the user's cache folder, since every system has its own place and rules for it;
KERAS_COATNET_HOME names another. A file is hashed when it arrives and, after that, whenever its size or time of change
is no longer the recorded one; a warm start costs one `stat`.
"""

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import shutil

from keras_coatnet.weights.atomic import replacing

HOME_VARIABLE = "KERAS_COATNET_HOME"
RECORD_ENDING = ".json"
READ_BYTES = 1 << 20


class CacheError(OSError):
    """The cache folder cannot be read or written; the message names the path."""


@dataclasses.dataclass(frozen=True)
class Record:
    """What a file was when it was checked. `url` is where it came from, None for one that was put there by hand."""

    size: int
    mtime_ns: int
    sha256: str
    md5: str | None = None
    url: str | None = None


def cache_home():
    """The cache folder, which may not be there yet."""
    home = os.environ.get(HOME_VARIABLE)
    if not home:
        import platformdirs

        home = platformdirs.user_cache_dir("keras_coatnet", appauthor=False)
    return os.path.abspath(os.path.expanduser(home))


def row_folder(row):
    """The folder of a manifest row."""
    return os.path.join(cache_home(), row.name, str(row.input_size))


def cached_path(row, file):
    """Where a file of a manifest row lies once it is there; also the place to put it by hand."""
    return os.path.join(row_folder(row), file.file)


@contextlib.contextmanager
def writing(path):
    """Inside this block every OSError is about writing `path`; it leaves as a `CacheError` that says what to do."""
    try:
        yield
    except CacheError:
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
        advice = "free some space, or name a folder on another disk" if full else "name a folder that you may write to"
        # Libraries put their own words in place of the system's; the number is the same.
        reason = os.strerror(error.errno) if error.errno else error
        raise CacheError(f"{path} cannot be written: {reason}; {advice} by {HOME_VARIABLE}.") from error


def make_folder(path):
    with writing(path):
        os.makedirs(path, exist_ok=True)


def check_space(path, size):
    """Raise a `CacheError` where `size` more bytes do not fit on the disk of `path`."""
    free = shutil.disk_usage(os.path.dirname(path)).free
    if size > free:
        raise CacheError(
            f"{path} needs {size:,} bytes and its disk has {free:,} left; free some space, or name a folder on another "
            f"disk by {HOME_VARIABLE}."
        )


@contextlib.contextmanager
def locked(row, purpose, on_wait=None, wait=True):
    """Hold a lock between processes; the system gives it free when its holder dies.

    Args:
        row: `ManifestRow` that is worked on.
        purpose: "download" or "convert".
        on_wait: called once if another process holds it.
        wait: whether to wait then.

    Raises: CacheError where it is held and not waited for.
    """
    import filelock

    # Apart from the files, so that these can be cleared away while the lock is held.
    folder = os.path.join(cache_home(), "locks")
    name = os.path.join(folder, f"{row.name}-{row.input_size}.{purpose}.lock")
    make_folder(folder)
    lock = filelock.FileLock(name)
    with writing(name):
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            if not wait:
                raise CacheError(f"{row_folder(row)} is in use by another process.") from None
            if on_wait is not None:
                on_wait()
            lock.acquire()
        except NotImplementedError:
            raise CacheError(
                f"{name} cannot be locked on this file system; name a folder on another by {HOME_VARIABLE}."
            ) from None
    try:
        yield
    finally:
        lock.release()


def measure(path, with_md5, url=None):
    """Read a whole file for its `Record`."""
    sha256 = hashlib.sha256()
    md5 = hashlib.md5(usedforsecurity=False) if with_md5 else None
    with open(path, "rb") as file:
        state = os.fstat(file.fileno())
        while chunk := file.read(READ_BYTES):
            sha256.update(chunk)
            if md5 is not None:
                md5.update(chunk)
    return Record(state.st_size, state.st_mtime_ns, sha256.hexdigest(), md5.hexdigest() if md5 else None, url)


def mismatch(record, file):
    """In what a measured file differs from what is known of it, in words; None if in nothing."""
    if file.size is not None and record.size != file.size:
        return f"it has {record.size:,} bytes, not {file.size:,}"
    if file.sha256 and record.sha256 != file.sha256:
        return f"its sha256 is {record.sha256}, not {file.sha256}"
    if file.sha256_prefix and not record.sha256.startswith(file.sha256_prefix):
        return f"its sha256 is {record.sha256} and does not begin with {file.sha256_prefix}"
    if file.md5 and record.md5 != file.md5:
        return f"its md5 is {record.md5}, not {file.md5}"
    return None


def read_record(path):
    """The `Record` of a file, None where there is none that can be read."""
    try:
        with open(path + RECORD_ENDING, encoding="utf-8") as file:
            return Record(**json.load(file))
    except (OSError, ValueError, TypeError):
        return None


def write_record(path, record):
    with replacing(path + RECORD_ENDING) as temporary, open(temporary, "w", encoding="utf-8") as file:
        json.dump(dataclasses.asdict(record), file)


def is_as_recorded(path, record):
    state = os.stat(path)
    return (state.st_size, state.st_mtime_ns) == (record.size, record.mtime_ns)


def find_damage(path, file, full=False):
    """What is wrong with a cached file, in words; None if it is sound.

    A file is hashed only if it changed since it was recorded, if nothing is recorded, or on demand.

    Args:
        path: of a file that is there.
        file: `WeightFile` that it has to be.
        full: hash it in any case.
    """
    record = read_record(path)
    needs_md5 = file.md5 is not None and (record is None or record.md5 is None)
    if not full and record is not None and not needs_md5 and is_as_recorded(path, record):
        return mismatch(record, file)
    measured = measure(path, file.md5 is not None, record.url if record else None)
    damage = mismatch(measured, file)
    if damage is None and not file.has_hash:
        damage = _differs_from_first(measured, record) if record else _is_not_whole(path, file)
    if damage is None:
        renew_record(path, measured)
    elif record is not None:
        distrust(path, record)
    return damage


def renew_record(path, record):
    """Write a record if that can be done: a cache that others fill may be read only, and is hashed each time then."""
    with contextlib.suppress(OSError):
        write_record(path, record)


def distrust(path, record):
    """Have a damaged file hashed at every use: its size and time of change may be the recorded ones."""
    renew_record(path, dataclasses.replace(record, mtime_ns=-1))


def _differs_from_first(measured, record):
    """For files without a public hash: what arrived first is the one they have to stay."""
    if measured.sha256 == record.sha256:
        return None
    return f"its sha256 is {measured.sha256}, and was {record.sha256} when it was first there"


def _is_not_whole(path, file):
    from keras_coatnet.weights.formats.whole import find_break

    return find_break(path, file.format)
