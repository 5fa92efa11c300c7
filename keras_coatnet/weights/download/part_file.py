"""A download under way: `<file>.part`, and beside it a note from which a later process can go on.

The states: nothing there; begun (a note that says from where, a part that grows); whole (moved to its name by
`download`). A part is gone on with only from the very address and the strong ETag it was begun with: without an ETag
nothing says that the rest would be of the same file.
"""

import contextlib
import dataclasses
import json
import os

from keras_coatnet.weights.atomic import replacing
from keras_coatnet.weights.cache import CacheError, writing

PART_ENDING = ".part"


@dataclasses.dataclass(frozen=True)
class Note:
    """What a server said of the file that a part is the beginning of.

    Args:
        url: that was asked.
        etag: strong validator of the content.
        total: length of the whole file in bytes, None if it was not said.
        sha256: hash that the server stated, None if it did not.
    """

    url: str
    etag: str
    total: int | None
    sha256: str | None


class PartFile:
    """The part of one file, written by whoever holds the file's lock.

    Args:
        target: path of the file once it is whole.
    """

    def __init__(self, target):
        self.path = target + PART_ENDING
        self.note_path = self.path + ".json"

    @property
    def length(self):
        try:
            return os.path.getsize(self.path)
        except FileNotFoundError:
            return 0

    @property
    def note(self):
        """The `Note` beside the part; None where there is none that can be read."""
        try:
            with open(self.note_path, encoding="utf-8") as file:
                return Note(**json.load(file))
        except (OSError, ValueError, TypeError):
            return None

    def note_for(self, url):
        """The note to go on by; None where the download has to start over."""
        note = self.note
        if note is None or note.url != url or not self.length:
            return None
        return note if note.total is None or self.length <= note.total else None

    def begin(self, note):
        """Start over. `note` is None where the server gives nothing to go on by later."""
        self.discard()
        if note is not None:
            with writing(self.note_path), replacing(self.note_path) as temporary, open(temporary, "w") as file:
                json.dump(dataclasses.asdict(note), file)

    @contextlib.contextmanager
    def appending(self):
        """A function that appends bytes. Unbuffered, so that a killed process loses nothing that arrived."""
        with writing(self.path):
            file = open(self.path, "ab", buffering=0)  # noqa: SIM115 - closed below, outside `writing`
        try:
            yield lambda data: self._write(file, data)
        finally:
            file.close()

    def _write(self, file, data):
        with writing(self.path):
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]

    def finish(self, target):
        """Give the whole, checked file its name."""
        with writing(target):
            with open(self.path, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(self.path, target)
        self.discard()

    def discard(self):
        for path in (self.path, self.note_path):
            with writing(path), contextlib.suppress(FileNotFoundError):
                os.remove(path)

    def abandon(self):
        """Discard where that can be done, after another error that is to be told."""
        with contextlib.suppress(CacheError):
            self.discard()

    def tidy(self):
        """Keep the part only if a later download can go on with it."""
        if not (self.length and os.path.isfile(self.note_path)):
            self.abandon()
