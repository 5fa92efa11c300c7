"""Weights that come with the package: read where they lie, without a download or a copy in the cache."""

from pathlib import Path

SCHEME = "package:"
FOLDER = Path(__file__).with_name("files")


def path_in_package(row):
    """The path of a manifest row's weights inside the package; None for weights that lie elsewhere."""
    for file in row.files:
        if file.url.startswith(SCHEME):
            return str(FOLDER / file.url.removeprefix(SCHEME))
    return None
