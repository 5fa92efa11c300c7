"""`load_checkpoint` and `save_checkpoint`: between a file of any known format and a model, all or nothing."""

import difflib
import logging
import os
from typing import NamedTuple

import keras
import numpy as np

from keras_coatnet.layers.relative_position import RelativePositionBiasTable
from keras_coatnet.layers.table_resize import RULES
from keras_coatnet.weights.atomic import replacing
from keras_coatnet.weights.formats.file import tell_format
from keras_coatnet.weights.formats.legacy_h5 import write_legacy_h5
from keras_coatnet.weights.formats.reader import read_checkpoint
from keras_coatnet.weights.formats.safetensors import write_safetensors
from keras_coatnet.weights.formats.torch_pickle import import_torch, write_torch
from keras_coatnet.weights.match import match, own_entries, shown
from keras_coatnet.weights.slots import find_slots

logger = logging.getLogger("keras_coatnet")

OWN = "keras"
OWN_FORMATS = ("keras_v3",)
SHOWN_NAMES = 12


class LoadReport(NamedTuple):
    """What `load_checkpoint` did.

    source: whose names the file has.
    loaded: tensors that were assigned.
    left: tensors of the file's head without a place in the model.
    fresh: weights of the model's head that the file did not fill.
    resized: (old, new) grids.
    unused: tensors that the file's own origin never reads.
    """

    source: str
    loaded: int
    left: tuple
    fresh: tuple
    resized: tuple
    unused: tuple = ()


def load_checkpoint(model, path, source=None, resize=None, head=None):
    """Load a checkpoint of any known format into a model, all of it or nothing.

    Args:
        model: of this package.
        path: a legacy Keras `.h5` of keras_cv_attention_models, timm's `.safetensors`, `.pth` or `.bin`, or our own
            `.weights.h5` or `.keras`. The format is told from the content.
        source: "kecam", "timm" or "keras"; None is what the content says.
        resize: rule for relative-position tables of another size, "bilinear" or "geometric"; None is the spec's own
            (the peer's, so that its logits come out); False refuses them.
        head: None: the file has to have the model's whole head, unless the model has no top. "fresh": weights of the
            head (all behind the last stage's raw map) that the file does not fill keep what they have.

    Returns: `LoadReport`.
    Raises: FileNotFoundError; ValueError for a file that is damaged, that does not fit (with everything that is
        missing, unexpected or of another shape) or whose numbers mean something else; ImportError for a PyTorch file
        without torch. The model is untouched then.
    """
    path = os.path.abspath(os.path.expanduser(os.fspath(path)))
    check_arguments(model, source, resize, head)
    file, table = read_for(model.spec, model.name_tables, path, source)
    return load_file(model, file, table, resize=resize, head=head)


def load_file(model, file, table, *, resize=None, head=None, adapt_channels=False, tell_left=True):
    """`load_checkpoint` of a file that has been read.

    Args:
        model, resize, head: see `load_checkpoint`.
        file, table: see `read_for`.
        adapt_channels: whether the first convolution is made to fit another number of input channels.
        tell_left: whether to tell of a head that is left out; not to those who asked for none.
    """
    slots = find_slots(model)
    check_not_quantized(slots)
    rule = (resize or model.table_resize) if resize is not False else None
    found = match(
        file,
        own_entries(slots) if table is None else table.entries(model.spec),
        slots,
        table,
        head_layers=model.head_layers,
        has_top=model.options.include_top,
        fresh_head=head == "fresh",
        rule=rule,
        adaptable=model.first_convolution if adapt_channels else None,
    )
    if found.problems:
        raise ValueError(explain(found, file, model))
    assign(model, slots, found)
    report = LoadReport(
        source=table.source if table else OWN,
        loaded=len(found.values),
        left=(*found.left, *file.others),
        fresh=tuple(found.fresh),
        resized=tuple(dict.fromkeys(found.resized)),
        unused=tuple(found.unused),
    )
    say(report, file, rule, tell_left)
    return report


def check_arguments(model, source, resize, head):
    """Raise a ValueError for an argument that cannot be."""
    if getattr(model, "spec", None) is None:
        raise ValueError(
            f"Checkpoints are loaded into models of this package, which have a spec; {model.name!r} has none. "
            "Load into the CoAtNet itself, before other layers are put on it."
        )
    sources = [OWN, *(table.source for table in model.name_tables)]
    if source is not None and source not in sources:
        raise ValueError(f"source must be one of {', '.join(sources)}; got {source!r}.{nearest(source, sources)}")
    if resize is not None and resize is not False and resize not in RULES:
        raise ValueError(f"resize must be one of {', '.join(RULES)}, None or False; got {resize!r}.")
    if head not in (None, "fresh"):
        raise ValueError(f'head must be None or "fresh"; got {head!r}.')


def nearest(name, known):
    found = difflib.get_close_matches(str(name), known, n=1)
    return f" Nearest: {found[0]}." if found else ""


def check_not_quantized(slots):
    for name, slot in slots.items():
        if getattr(slot.layer, "quantization_mode", None):
            raise ValueError(f"The model is quantized ({name}); load the checkpoint first and quantize then.")


def read_for(spec, name_tables, path, source=None):
    """Read a checkpoint for models of a spec.

    Args:
        spec: of the model.
        name_tables: of the spec's family.
        path: of the file.
        source: whose names the file has; None is the one that knows most of them.

    Returns: (`CheckpointFile`, `NameTable` of its source or None for our own files).
    Raises: ValueError for a file that no source has, or whose numbers mean something else.
    """
    kind = tell_format(path)
    candidates = [table for table in name_tables if source in (None, table.source)]
    readings = []
    if kind == "torch":
        for table in candidates:
            if "torch" in table.formats:
                readings.append((read_checkpoint(path, table.containers, table.prefixes), table))
    else:
        file = read_checkpoint(path)
        if file.format in OWN_FORMATS and source in (None, OWN):
            return file, None
        readings = [(file, table) for table in candidates if file.format in table.formats]
    if not readings:
        raise ValueError(
            f"{os.path.basename(path)} is a file of the format {kind}, which "
            + (f"source={source!r} does not have." if source else f"no source of {spec.name} has.")
        )
    readings = [(table.take_part(file), table) for file, table in readings]
    file, table = max(readings, key=lambda reading: count_known(*reading, spec))
    if reason := table.refuse_file(file, spec):
        raise ValueError(f"{file.name} cannot be loaded: {reason}.")
    return file, table


def count_known(file, table, spec):
    """How many tensors of a file a name table has."""
    known = {name for entry in table.entries(spec) for name in (*entry.theirs, *entry.aliases)}
    return len(known & set(file.arrays))


def explain(found, file, model):
    """All that keeps a file from fitting a model, in one message."""
    parts = [f"{file.name} does not fit {model.name}; nothing was loaded."]
    for title, names in (
        ("missing", found.missing),
        ("unexpected", found.unexpected),
        ("other shape", found.shapes),
        ("one tensor, two values", found.differing),
    ):
        if names:
            more = f", and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
            parts.append(f"  {title} ({len(names)}): " + ", ".join(names[:SHOWN_NAMES]) + more)
    parts.append('  A head that differs (another number of classes, or none) is let pass by head="fresh".')
    return "\n".join(parts)


def assign(model, slots, found):
    """Assign all values; on any interruption put back what was there."""
    previous = []
    try:
        for name, array in found.values.items():
            slot = slots[name]
            old = keras.ops.convert_to_numpy(slot.variable.value)
            if name in found.grids:
                previous.append((slot.layer.assign_table, (old, slot.layer.table_grid)))
                slot.layer.assign_table(np.asarray(array), found.grids[name])
            else:
                previous.append((slot.variable.assign, (old,)))
                slot.variable.assign(np.asarray(array))
    except BaseException:
        for undo, arguments in reversed(previous):
            undo(*arguments)
        raise
    finally:
        model.forget_compiled_functions()


def say(report, file, rule, tell_left):
    """One line for each thing that a user may not have asked for."""
    if report.resized:
        sizes = ", ".join(f"{shown(old)} to {shown(new)}" for old, new in report.resized)
        logger.warning("%s: relative-position tables resized from %s (%s).", file.name, sizes, rule)
    if report.left and tell_left:
        logger.warning("%s: left out, since the model has no place for it: %s.", file.name, ", ".join(report.left))
    if report.unused:
        logger.info("%s: its origin never reads, and so nothing is lost of: %s.", file.name, ", ".join(report.unused))
    if report.fresh:
        logger.warning("%s: fresh, since the file does not fill it: %s.", file.name, ", ".join(report.fresh))


def save_checkpoint(model, path, source=OWN):
    """Write a model's weights in our own format or a peer's; the file is there whole or not at all.

    Args:
        model: of this package.
        path: ends in `.weights.h5` or `.keras` for "keras", `.safetensors`, `.pth`, `.pt` or `.bin` for "timm", `.h5`
            for "kecam".
        source: whose names and layout the file has.

    Raises: ValueError for an unknown source, an ending that is not the source's, or a model that the peer has no way to
        hold, with the reason; FileNotFoundError where the folder is not there.
    """
    path = os.path.abspath(os.path.expanduser(os.fspath(path)))
    check_arguments(model, source, None, None)
    if source == OWN:
        check_ending(path, source, (".weights.h5", ".keras"))
        with replacing(path) as temporary:
            (model.save if path.endswith(".keras") else model.save_weights)(temporary)
        return
    table = next(table for table in model.name_tables if table.source == source)
    writers = {ending: writer for name in table.formats for ending, writer in WRITERS[name].items()}
    ending = check_ending(path, source, tuple(writers))
    if writers[ending] is write_torch:
        import_torch(path)
    arrays = peer_arrays(model, table)
    with replacing(path) as temporary:
        writers[ending](temporary, arrays)


WRITERS = {
    "safetensors": {".safetensors": write_safetensors},
    "torch": {".pth": write_torch, ".pt": write_torch, ".bin": write_torch},
    "legacy_h5": {".h5": write_legacy_h5},
}


def check_ending(path, source, endings):
    """The ending of `path` among `endings`; a ValueError where it has none of them."""
    for ending in endings:
        if path.endswith(ending):
            return ending
    raise ValueError(f'A file for source="{source}" ends in {" or ".join(endings)}; got {os.path.basename(path)!r}.')


def peer_arrays(model, table):
    """The peer's name -> array of every weight of a model, in the peer's order."""
    spec = model.spec
    slots = find_slots(model)
    grids = [slot.layer.table_grid for slot in slots.values() if isinstance(slot.layer, RelativePositionBiasTable)]
    if reason := table.cannot_hold(spec, grids):
        raise ValueError(f"{table.source} cannot hold this model: {reason}.")
    check_not_quantized(slots)
    arrays = {}
    for entry in table.entries(spec):
        if entry.ours not in slots:
            continue
        value = keras.ops.convert_to_numpy(slots.pop(entry.ours).variable.value)
        theirs = entry.theirs[0]
        array = entry.transform.to_theirs(value.astype("float32", copy=False))
        arrays |= dict.fromkeys((theirs, *entry.aliases), array)
        if entry.ours.endswith("/moving_variance"):
            for counter in table.counters:
                arrays[theirs.rpartition(".")[0] + "." + counter] = np.zeros((), "int64")
    if slots:
        raise ValueError(
            f"{table.source} cannot hold this model: it has no name for {', '.join(sorted(slots)[:SHOWN_NAMES])}."
        )
    return arrays
