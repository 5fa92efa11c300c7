"""From what `pretrained=` says to loaded weights: a path or a tag, a file that is read, a model that is filled."""

import dataclasses
import os

from keras_coatnet.layers.initializers import without_initial_values
from keras_coatnet.weights.checkpoint import load_file, read_for
from keras_coatnet.weights.converted import load_converted, store_converted
from keras_coatnet.weights.download.fetch import fetch
from keras_coatnet.weights.download.progress import visible_progress
from keras_coatnet.weights.formats.file import CheckpointFile
from keras_coatnet.weights.in_package import path_in_package
from keras_coatnet.weights.manifest import ManifestRow, find_rows, nearest_row
from keras_coatnet.weights.name_table import NameTable

CHECKPOINT_ENDINGS = (".h5", ".keras", ".safetensors", ".pth", ".pt", ".bin", ".ckpt")


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A checkpoint that has been read, before there is a model for it.

    `table` is None for our own files, `row` for a path; `num_classes` is None for a file without a classifier.
    """

    file: CheckpointFile
    table: NameTable | None
    row: ManifestRow | None
    num_classes: int | None


def open_pretrained(pretrained, spec, name_tables, classifier, sides, build):
    """Read what `pretrained=` means.

    Args:
        pretrained: tag of the manifest, or path of a checkpoint.
        spec: of the model to be.
        name_tables: of the spec's family.
        classifier: name of the family's classifying layer.
        sides: (H, W) of the model's images; None in it where the size is open.
        build: function of (input_shape, num_classes) that makes a model of the spec, to convert a download once.

    Returns: `Pretrained`.
    Raises: ValueError for an unknown tag, a path without a file, or a file that cannot be read; what `fetch` raises.
    """
    if is_path(pretrained):
        row = None
        file, table = read_for(spec, name_tables, existing_file(pretrained, spec.name))
    else:
        row = nearest_row(find_rows(spec.name, pretrained), sides)
        file, table = read_row(row, name_tables, spec, build)
        file.title = row.name
    return Pretrained(file, table, row, count_classes(file, table, spec, classifier))


def is_path(pretrained):
    """Whether a string means a file and not a tag: it exists, has a folder in it or ends like a checkpoint."""
    text = os.fspath(pretrained)
    return (
        not isinstance(pretrained, str)
        or os.path.isfile(os.path.expanduser(text))
        or os.path.basename(text) != text
        or text.endswith(CHECKPOINT_ENDINGS)
    )


def existing_file(pretrained, variant):
    path = os.path.expanduser(os.fspath(pretrained))
    if not os.path.isfile(path):
        raise ValueError(
            f"pretrained for {variant} must be a tag or the path of a checkpoint file; got "
            f"{os.fspath(pretrained)!r}, where there is no file."
        )
    return path


def read_row(row, name_tables, spec, build):
    """A row's weights: the package's own, or from the converted file of the cache where there is a sound one."""
    path = path_in_package(row)
    if path is not None:
        return read_for(spec, name_tables, path)
    path = load_converted(row)
    if path is not None:
        try:
            return read_for(spec, name_tables, path)
        except ValueError:
            # Size and time of change looked right; the whole hash decides whether it is the cache or the reader.
            if load_converted(row, verify=True) is not None:
                raise
    return read_for(spec, name_tables, convert(row, name_tables, spec, build))


def convert(row, name_tables, spec, build):
    """Download a row's file, load it into the model it was made for, and keep that model's weights in our format.

    Returns: the path of the converted file, or of the download where the cache cannot keep another one.
    """
    path = fetch(row, visible_progress())
    try:
        file, table = read_for(spec, name_tables, path)
    except ValueError:
        # Damage that left size and time of change as they were: the whole hash tells it, and fetches the file anew.
        path = fetch(row, visible_progress(), verify=True)
        file, table = read_for(spec, name_tables, path)
    with without_initial_values():
        model = build((row.input_size, row.input_size, 3), row.num_classes)
    load_file(model, file, table)
    return store_converted(row, model.save_weights) or path


def count_classes(file, table, spec, classifier):
    """Outputs of a file's classifier; None where it has none."""
    if table is None:
        names = (f"{classifier}/1",)
    else:
        names = next((entry.theirs for entry in table.entries(spec) if entry.ours == f"{classifier}/bias"), ())
    found = [file.arrays[name].shape for name in names if name in file.arrays]
    return found[0][0] if found and len(found[0]) == 1 else None


def fill(model, checkpoint, fresh_classifier):
    """Load a read checkpoint into a model that was built for it; the model remembers where its weights are from.

    Args:
        model: of this package.
        checkpoint: `Pretrained`.
        fresh_classifier: whether the classifier may stay as it is, for other classes than the file's.
    """
    load_file(
        model,
        checkpoint.file,
        checkpoint.table,
        head="fresh" if fresh_classifier else None,
        adapt_channels=True,
        tell_left=model.options.include_top,
    )
    if checkpoint.row is not None:
        model.origin = describe(checkpoint.row, labels_hold=not fresh_classifier)


def describe(row, labels_hold):
    """What of a manifest row a model keeps: plain data, which goes into its `.keras` file."""
    return {
        "name": row.name,
        "input_size": row.input_size,
        "labels": row.labels if labels_hold else None,
        "preprocessing": dataclasses.asdict(row.preprocessing),
    }
