"""Files that are there whole or not at all."""

import contextlib
import os
import tempfile


@contextlib.contextmanager
def replacing(path):
    """A temporary path beside `path`, moved onto it when the block ends well and removed when it does not.

    The temporary name keeps the ending of `path`, which decides the format for some writers.
    """
    path = os.path.abspath(os.fspath(path))
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"There is no folder {folder} to write {name} into.")
    handle, temporary = tempfile.mkstemp(prefix=".", suffix="-" + name, dir=folder)
    os.close(handle)
    try:
        yield temporary
        # mkstemp's files are private; give the new one what any new file would have.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise
