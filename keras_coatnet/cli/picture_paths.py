"""From what stands on the command line to picture files: folders, patterns and standard input."""

import glob
import os

from keras_coatnet.images.read import IMAGE_SUFFIXES, UnreadableImage

STANDARD_INPUT = "-"


class NoPictures(UnreadableImage):
    """An argument that stands for no picture at all; it takes the place of a path."""

    def __init__(self, path, reason):
        super().__init__(f"{path}: {reason}")
        self.path = path


def picture_paths(arguments, standard_input, separator=b"\n"):
    """Yields picture files in the order of the arguments.

    A folder gives its pictures, by name, and then those of its folders; hidden ones are left out. A pattern gives its
    matches, sorted, each once; a file whose name is the pattern itself comes first.

    Args:
        arguments: paths, patterns, or "-".
        standard_input: text stream whose bytes hold a path a line.
        separator: what ends a path there: a line feed or a null byte.

    Yields: paths as text, or `NoPictures` for an argument that stands for none.
    """
    for argument in arguments:
        if argument == STANDARD_INPUT:
            for path in read_paths(standard_input, separator):
                yield from _expand(path)
        elif glob.has_magic(argument) and not os.path.lexists(argument):
            matches = sorted(glob.iglob(argument, recursive=True))
            expanded = dict.fromkeys(path for match in matches for path in _expand(match) if isinstance(path, str))
            yield from expanded or [NoPictures(argument, "no file matches this pattern")]
        else:
            yield from _expand(argument)


def read_paths(standard_input, separator):
    """Yields the paths on a stream as they come; empty lines are left out."""
    stream = standard_input.buffer
    if separator == b"\n":
        pieces = (line.rstrip(b"\r\n") for line in stream)
    else:
        pieces = _split(stream, separator)
    yield from (os.fsdecode(piece) for piece in pieces if piece)


def _split(stream, separator):
    rest = b""
    while block := stream.read1(65536):
        *pieces, rest = (rest + block).split(separator)
        yield from pieces
    yield rest


def _expand(path):
    if not os.path.isdir(path):
        yield path
        return
    found = False
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES and not name.startswith("."):
                found = True
                yield os.path.join(folder, name)
    if not found:
        yield NoPictures(path, f"holds no pictures ({', '.join(sorted(IMAGE_SUFFIXES))})")
