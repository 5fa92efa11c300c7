"""What export knows of a format before it writes one: a row a format."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of file that a model ships as.

    Args:
        name: what `export(format=...)` calls it.
        endings: of its files, the first is the usual one; a format that is a folder has none.
        backend: Keras' backend that its writer runs on.
        module: that writes, loads and reads metadata.
        runtime: module that is imported to run a file.
        packages: modules that writing needs besides the backend.
        quantizations: that it can hold, besides none.
        inputs: kinds of input that it can have.
        companions: endings of the files that lie beside the file, with the same stem, and belong to it.
        is_folder: whether it is a folder.
        embeds_metadata: whether metadata lie inside; else in `FILE.json`.
        default_batch_size: images a call if nobody says; None leaves it open.
        takes_open_sizes: whether the pictures' sides can stay open.
    """

    name: str
    endings: tuple
    backend: str
    module: str
    runtime: str
    packages: tuple = ()
    quantizations: tuple = ()
    inputs: tuple = ("float", "uint8")
    companions: tuple = ()
    is_folder: bool = False
    embeds_metadata: bool = True
    default_batch_size: int | None = None
    takes_open_sizes: bool = False
