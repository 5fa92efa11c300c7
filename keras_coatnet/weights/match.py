"""What of a file goes where in a model, all of it decided before anything is assigned."""

import dataclasses
import math

import numpy as np

from keras_coatnet.layers.relative_position import RelativePositionBiasTable, offset_count
from keras_coatnet.layers.table_resize import resize_table
from keras_coatnet.weights.name_table import Entry
from keras_coatnet.weights.transforms import SAME

SHOWN_NAMES = 12


@dataclasses.dataclass
class Match:
    """The outcome of comparing a file with a model; names are the file's, or ours where the file has none."""

    values: dict = dataclasses.field(default_factory=dict)  # our name -> array
    grids: dict = dataclasses.field(default_factory=dict)  # our name of a table -> grid its array belongs to
    missing: list = dataclasses.field(default_factory=list)
    unexpected: list = dataclasses.field(default_factory=list)
    shapes: list = dataclasses.field(default_factory=list)
    differing: list = dataclasses.field(default_factory=list)  # one tensor under two names with two values
    left: list = dataclasses.field(default_factory=list)  # head tensors of the file without a place in the model
    unused: list = dataclasses.field(default_factory=list)  # tensors that the peer itself never reads
    fresh: list = dataclasses.field(default_factory=list)  # head weights of the model without a value in the file
    resized: list = dataclasses.field(default_factory=list)  # (old grid, new grid) of each resized table

    @property
    def problems(self):
        return self.missing or self.unexpected or self.shapes or self.differing


def own_entries(slots):
    """The entries of our own files: every weight under the name of its layer and its number."""
    return tuple(
        Entry(name, (slot.key,), SAME, isinstance(slot.layer, RelativePositionBiasTable))
        for name, slot in slots.items()
    )


def match(file, entries, slots, table, *, head_layers, has_top, fresh_head, rule, adaptable=None):
    """Compare a file with a model.

    Args:
        file: `CheckpointFile`.
        entries: tensors that a model of this architecture may have.
        slots: weights that the model has.
        table: `NameTable` of the file's source; None for our own files.
        head_layers: names of the layers behind the last stage's raw map.
        has_top: whether the model has a classifier.
        fresh_head: whether weights of the head may keep what they have.
        rule: to resize tables of another size by; None refuses them.
        adaptable: our name of a convolution that may have another number of input channels.

    Returns: `Match`.
    Raises: ValueError where all fits and a value is no number.
    """
    found = Match()
    ignored = table.ignored if table else ()
    unread = {name for name in file.arrays if not (ignored and name.endswith(ignored))}
    may_leave_head = fresh_head or not has_top
    tables = []
    for entry in entries:
        theirs, copies = names_in_file(entry, unread)
        slot = slots.get(entry.ours)
        in_head = entry.ours.split("/")[0] in head_layers
        # Our own files number a layer's weights; their names say more.
        shown_name = entry.ours if table is None else theirs or entry.theirs[0]
        if theirs is None:
            if slot is not None:
                (found.fresh if in_head and fresh_head else found.missing).append(shown_name)
        elif slot is not None:
            unread.difference_update((theirs, *copies))
            found.differing += [
                f"{name} is not {theirs}" for name in copies if not same(file.arrays[name], file.arrays[theirs])
            ]
            array = rearranged(entry, file.arrays[theirs])
            if entry.ours == adaptable and array is not None and array.ndim == 4:
                array = adapt_input_channels(array, slot.variable.shape[2])
            if entry.is_table:
                tables.append((entry.ours, theirs, slot, array))
            elif array is not None and array.shape == tuple(slot.variable.shape):
                found.values[entry.ours] = array
            elif in_head and fresh_head:
                found.fresh.append(shown_name)
            else:
                found.shapes.append(shape_problem(entry, shown_name, file.arrays[theirs], slot))
        elif in_head and may_leave_head:
            unread.discard(theirs)
            found.left.append(theirs)
    if table is not None:
        found.unused = sorted(unread & set(table.unused))
        unread -= set(found.unused)
    found.missing.extend(sorted(set(slots) - {entry.ours for entry in entries}))  # what the peer has no name for
    place_tables(found, tables, file, table, rule)
    for name in sorted(unread):
        # Our own files name the layer itself, so a head that the model lacks is told without an entry.
        in_head = table is None and name.split("/")[0] in head_layers
        (found.left if in_head and may_leave_head else found.unexpected).append(name)
    if not found.problems:
        refuse_not_finite(found.values, entries, file)
    return found


def names_in_file(entry, unread):
    """(the name under which a file has a tensor or None, its further names in the file)."""
    theirs = next((name for name in entry.theirs if name in unread), None)
    copies = [name for name in entry.aliases if name in unread]
    return (copies[0], copies[1:]) if theirs is None and copies else (theirs, copies)


def same(array, other):
    """Whether two arrays hold the same; NaN, which is refused later, is as good as itself."""
    return array.shape == other.shape and np.array_equal(array, other, equal_nan=array.dtype.kind == "f")


def refuse_not_finite(values, entries, file):
    """Raise a ValueError that names every tensor with a NaN or an infinity: a broken training, or a damaged file."""
    wrong = {ours for ours, array in values.items() if not np.isfinite(array).all()}
    if wrong:
        is_own = file.format == "keras_v3"
        names = [
            entry.ours if is_own else next(name for name in (*entry.theirs, *entry.aliases) if name in file.arrays)
            for entry in entries
            if entry.ours in wrong
        ]
        more = f", and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
        raise ValueError(
            f"{file.name} holds NaN or infinite values, so nothing was loaded; "
            f"in {', '.join(names[:SHOWN_NAMES])}{more}."
        )


def adapt_input_channels(kernel, channels):
    """A first convolution's kernel (h, w, in, out) for another number of input channels.

    One channel gets the sum of all; more (or two) repeat the old ones in turn, scaled so that equal channels give the
    response they gave before (timm's rule).
    """
    old = kernel.shape[2]
    if channels == old:
        return kernel
    if channels == 1:
        return kernel.sum(axis=2, keepdims=True)
    return kernel[:, :, np.arange(channels) % old] * np.float32(old / channels)


def rearranged(entry, array):
    """The array in our layout, or None where it cannot be one of these."""
    try:
        return entry.transform.to_ours(array)
    except ValueError:
        return None


def shape_problem(entry, name, array, slot):
    """Both shapes under the tensor's name, the model's in the file's layout, so that they can be compared."""
    wanted = entry.transform.to_theirs(np.broadcast_to(np.float32(0), tuple(slot.variable.shape))).shape
    return f"{name}: {array.shape} in the file, {wanted} in the model"


def place_tables(found, tables, file, peer, rule):
    """Find the grid of every table, and resize what has to be resized."""
    all_fit = all(array is not None and array.shape == tuple(slot.variable.shape) for _, _, slot, array in tables)
    for ours, theirs, slot, array in tables:
        layer = slot.layer
        if array is None or array.ndim != 2 or array.shape[1] != layer.num_heads:
            found.shapes.append(
                f"{theirs}: {file.arrays[theirs].shape} in the file, {layer.num_heads} heads in the model"
            )
            continue
        grid = grid_of(array.shape[0], slot, file, peer, all_fit)
        if grid is None:
            found.shapes.append(
                f"{theirs}: {array.shape[0]} offsets in the file, of a non-square map whose sides it does not tell; "
                f"{offset_count(layer.table_grid)} in the model"
            )
        elif grid != layer.table_grid and layer.map_is_static:
            if rule is None:
                found.shapes.append(
                    f"{theirs}: of a {shown(grid)} map in the file, {shown(layer.table_grid)} in the model"
                )
                continue
            found.values[ours] = resize_table(array, grid, layer.table_grid, rule)
            found.grids[ours] = layer.table_grid
            found.resized.append((grid, layer.table_grid))
        else:
            found.values[ours] = array
            found.grids[ours] = grid


def grid_of(offsets, slot, file, peer, all_fit):
    """(H, W) of a table with so many offsets; None where it cannot be told.

    Our own files state it. A peer's table is the model's own where every table of the file fits the model as it is, and
    that of a square map otherwise: no peer can say more.
    """
    if peer is None and slot.path in file.grids:
        grid = file.grids[slot.path]
        return grid if offset_count(grid) == offsets else None
    if all_fit and not (peer and peer.square_tables):
        return slot.layer.table_grid
    length = math.isqrt(offsets)
    return ((length + 1) // 2,) * 2 if length**2 == offsets and length % 2 else None


def shown(grid):
    return f"{grid[0]}x{grid[1]}"
