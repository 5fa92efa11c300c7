"""`fetch`: from a row of the manifest to a checked file in the cache.

Well-kept libraries do what they do well: requests and urllib3's Retry the transport, filelock the locks between
processes, platformdirs the place of the cache. Ready-made downloaders leave out one thing or another that a file of
hundreds of megabytes needs (resuming, locks, several addresses for one file, hashes of several kinds), so that the part
file and the order of addresses are ours.
"""

import dataclasses
import importlib.util
import os
import urllib.parse
import urllib.request

from keras_coatnet.weights.cache import (
    HOME_VARIABLE,
    READ_BYTES,
    CacheError,
    cached_path,
    check_space,
    find_damage,
    locked,
    make_folder,
    measure,
    mismatch,
    read_record,
    row_folder,
    write_record,
    writing,
)
from keras_coatnet.weights.download.part_file import PartFile
from keras_coatnet.weights.download.progress import visible_progress
from keras_coatnet.weights.download.transport import Settings, SourceFailed, Stated, receive, session
from keras_coatnet.weights.formats.file import guess_content
from keras_coatnet.weights.formats.whole import find_break
from keras_coatnet.weights.in_package import path_in_package

OFFLINE_VARIABLE = "KERAS_COATNET_OFFLINE"
MIRROR_VARIABLE = "KERAS_COATNET_MIRROR"


class DownloadError(OSError):
    """No address gave the file; the message names each with its reason, and where to put the file by hand."""


def fetch(row, progress=None, *, verify=False, settings=None):
    """The path of a row's weights in the cache, downloaded if they are not there; always checked.

    Weights that come with the package are given as they lie there.

    Args:
        row: `ManifestRow`.
        progress: `Progress`; None draws a bar where someone is looking and writes one line elsewhere.
        verify: hash a cached file in full, for one that did not load; else only a changed one is.
        settings: `Settings` of timeouts and tries.

    Raises: DownloadError where no address gives the file, or none may be asked (KERAS_COATNET_OFFLINE=1); CacheError
        where the cache cannot be written. Both are OSErrors.
    """
    path = path_in_package(row)
    if path is not None:
        return path
    files = readable_files(row)
    path, _ = find_cached(row, files, verify)
    if path is not None:
        return path
    progress = visible_progress() if progress is None else progress
    progress.open(f"{row.name} at {row.input_size}")
    try:
        with locked(row, "download", progress.wait):
            path, damages = find_cached(row, files, verify)  # another process may have been first
            make_folder(row_folder(row))
            return path or obtain(row, files, damages, progress, settings or Settings())
    finally:
        progress.close()


def readable_files(row):
    """A row's files that can be read here: PyTorch's only with torch, unless there is no other."""
    has_torch = importlib.util.find_spec("torch") is not None
    return tuple(file for file in row.files if file.format != "torch" or has_torch) or row.files


def find_cached(row, files, verify):
    """(path of the first sound file in the cache or None, what is wrong with the others)."""
    damages = []
    for file in files:
        path = cached_path(row, file)
        try:
            damage = find_damage(path, file, full=verify)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise CacheError(f"{path} cannot be read: {error.strerror or error}.") from error
        if damage is None:
            return path, []
        damages.append(f"{path} is in the cache and damaged: {damage}")
    return None, damages


def obtain(row, files, damages, progress, settings):
    """Try one address after another; the path of the file from the first that gives it."""
    failures = []
    for file, url in sources(files):
        part = PartFile(cached_path(row, file))
        try:
            path = acquire(cached_path(row, file), file, url, part, progress, settings)
            for other in row.files:
                PartFile(cached_path(row, other)).abandon()  # of no use any more
            return path
        except SourceFailed as failure:
            failures.append((url, str(failure)))
        except CacheError:
            part.abandon()
            raise
        finally:
            part.tidy()
    raise DownloadError(explain(row, files, failures, damages))


def sources(files):
    """(file, address) in the order they are asked: all files at the mirror, then each at its own address."""
    mirror = os.environ.get(MIRROR_VARIABLE)
    if mirror:
        for file in files:
            yield file, mirror_address(mirror, file.file)
    for file in files:
        yield file, file.url


def mirror_address(mirror, name):
    """The address of a file in a mirror, which is a folder or the beginning of an address."""
    if urllib.parse.urlsplit(mirror).scheme in ("http", "https", "file"):
        return f"{mirror.rstrip('/')}/{urllib.parse.quote(name)}"
    return os.path.join(os.path.abspath(os.path.expanduser(mirror)), name)


def acquire(target, file, url, part, progress, settings):
    """One file from one address to its place in the cache."""
    first, source = read_record(target), local_path(url)
    if source is not None:
        copy_file(source, part, progress)
        record = measure(part.path, file.md5 is not None, url)
        fault = find_fault(part.path, record, file, Stated(), first)
    elif is_offline():
        raise SourceFailed(f"not asked, since {OFFLINE_VARIABLE} is set")
    else:
        with session(settings, progress) as connection:
            record, fault = receive_checked(connection, url, part, file, first, settings, progress)
    if fault:
        part.discard()
        raise SourceFailed(fault)
    part.finish(target)
    with writing(target):
        write_record(target, record)
    return target


def receive_checked(connection, url, part, file, first, settings, progress):
    """(`Record` of what arrived, why it is not the file or None)."""
    while True:
        stated, went_on = receive(connection, url, part, file.size, settings, progress)
        record = measure(part.path, file.md5 is not None, url)
        fault = find_fault(part.path, record, file, stated, first)
        if not (fault and went_on):
            return record, fault
        # The beginning was from an earlier process: a system that crashed may have left anything in it.
        part.discard()


def local_path(url):
    """The path that an address means on this machine; None for one that has to be asked over a network."""
    scheme = urllib.parse.urlsplit(url).scheme
    if scheme == "file":
        return urllib.request.url2pathname(urllib.parse.urlsplit(url).path)
    return None if scheme in ("http", "https") else url


def copy_file(source, part, progress):
    """Copy a file of this machine into a part."""
    part.begin(None)
    with part.appending() as append:
        for chunk, size in read_chunks(source):
            if part.length == 0:
                check_space(part.path, size)
                progress.start(0, size)
            append(chunk)
            progress.advance(len(chunk))


def read_chunks(path):
    """(bytes, size of the whole) one after another. Its own errors only become a failure of the source."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            while chunk := file.read(READ_BYTES):
                yield chunk, size
    except OSError as error:
        raise SourceFailed(error.strerror or str(error)) from error


def find_fault(path, record, file, stated, first):
    """Why what arrived is not the file; None if it is.

    The manifest's hashes count, and what the hub stated; without either, what was downloaded first.

    Args:
        path, record: of what arrived.
        file: `WeightFile` of the manifest.
        stated: `Stated` by the server.
        first: `Record` of the file that was in its place before, None if there was none.
    """
    fault = mismatch(record, file) or mismatch(record, dataclasses.replace(file, **vars(stated)))
    if fault is None and not file.has_hash and not stated.sha256:
        fault = find_break(path, file.format)
        if fault is None and first is not None and first.sha256 != record.sha256:
            return (
                f"its sha256 is {record.sha256}, and was {first.sha256} when it was first downloaded; if it was "
                "replaced on purpose, clear it from the cache"
            )
    if fault is None:
        return None
    with open(path, "rb") as opened:
        return fault + guess_content(opened.read(512))


def is_offline():
    """Whether KERAS_COATNET_OFFLINE forbids the network.

    Raises: ValueError for a value that is neither yes nor no.
    """
    value = os.environ.get(OFFLINE_VARIABLE, "").strip().lower()
    if value in ("", "0", "false", "no", "off"):
        return False
    if value in ("1", "true", "yes", "on"):
        return True
    raise ValueError(f"{OFFLINE_VARIABLE} must be 1 or 0; got {os.environ[OFFLINE_VARIABLE]!r}.")


def explain(row, files, failures, damages):
    """The message of a download that failed; it reads well on one line too, as the command line prints it."""
    places = [f"  {file.url}\n    as {cached_path(row, file)}" for file in files]
    return "\n".join(
        [
            f"The weights {row.name} at {row.input_size} could not be had.",
            *(f"  {damage}." for damage in damages),
            *(f"  {url}: {reason}." for url, reason in failures),
            "To put them there by hand, save" + (" one of" if len(files) > 1 else ""),
            *places,
            f"or name a folder of such files by {MIRROR_VARIABLE}. The cache is moved by {HOME_VARIABLE}, and a proxy "
            "named by HTTPS_PROXY.",
        ]
    )
