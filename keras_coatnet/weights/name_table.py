"""A peer's checkpoint layout as data: rows of names at the level of layers, one dialect of tensor names a framework."""

import dataclasses
from collections.abc import Callable

from keras_coatnet.weights.transforms import (
    HEADS_FIRST_TABLE,
    KERAS_POINTWISE,
    SAME,
    TORCH_CONVOLUTION,
    TORCH_DENSE,
    TORCH_POINTWISE,
    Transform,
)

# Kind of layer -> tensors: our variable, the peer's suffixes (the first is written, all are read), transform.
TORCH = {
    "convolution": [("kernel", (".weight",), TORCH_CONVOLUTION), ("bias", (".bias",), SAME)],
    "pointwise": [("kernel", (".weight",), TORCH_POINTWISE), ("bias", (".bias",), SAME)],
    "dense": [("kernel", (".weight",), TORCH_DENSE), ("bias", (".bias",), SAME)],
    "depthwise": [("kernel", (".weight",), "depthwise"), ("bias", (".bias",), SAME)],
    "norm": [
        ("gamma", (".weight",), SAME),
        ("beta", (".bias",), SAME),
        ("moving_mean", (".running_mean",), SAME),
        ("moving_variance", (".running_var",), SAME),
    ],
    "scale": [("gamma", (".gamma",), SAME)],
    "table": [("relative_position_bias_table", (".relative_position_bias_table",), SAME)],
}

# Keras 2 writes `<layer>/kernel:0`; keras_cv_attention_models' torch backend `<layer>/weight`, in Keras' layout.
KERAS_2 = {
    "convolution": [("kernel", ("/kernel:0", "/weight"), SAME), ("bias", ("/bias:0", "/bias"), SAME)],
    "pointwise": [("kernel", ("/kernel:0", "/weight"), KERAS_POINTWISE), ("bias", ("/bias:0", "/bias"), SAME)],
    "dense": [("kernel", ("/kernel:0", "/weight"), SAME), ("bias", ("/bias:0", "/bias"), SAME)],
    "depthwise": [("kernel", ("/depthwise_kernel:0", "/weight"), SAME), ("bias", ("/bias:0", "/bias"), SAME)],
    "qkv": [("kernel", ("/kernel:0", "/weight"), "qkv"), ("bias", ("/bias:0", "/bias"), "qkv")],
    "norm": [
        ("gamma", ("/gamma:0", "/weight"), SAME),
        ("beta", ("/beta:0", "/bias"), SAME),
        ("moving_mean", ("/moving_mean:0", "/running_mean"), SAME),
        ("moving_variance", ("/moving_variance:0", "/running_var"), SAME),
    ],
    "table": [
        ("relative_position_bias_table", ("/positional_embedding:0", "/positional_embedding"), HEADS_FIRST_TABLE)
    ],
}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One tensor: our variable's name, the peer's names for it, and the way between them.

    `theirs` are spellings of one name, of which a file has one; `aliases` are further places where the peer hangs the
    same tensor, of which a file may have any.
    """

    ours: str
    theirs: tuple
    transform: Transform
    is_table: bool
    aliases: tuple = ()


@dataclasses.dataclass(frozen=True)
class NameTable:
    """Where a peer keeps each tensor of a family.

    Args:
        source: the peer's name, as users say it.
        formats: formats of its files.
        dialect: `TORCH` or `KERAS_2`.
        groups: function of a spec that yields (prefix of our layers, rows, fields): rows are (our layer, the peer's
            layer, kind), further names of the peer's for a layer that hangs in several places behind them; fields fill
            the peer's names and give the transforms that depend on the block.
        containers: keys of a pickled dictionary under which the tensors may lie, in the order they are tried; the
            dictionary itself comes last.
        prefixes: of all names, stripped where they are found.
        ignored: endings of names that no layer reads.
        unused: whole names of tensors that the peer's files keep and its models never read.
        counters: endings that the peer adds beside a moving mean, as integers; written as 0.
        parts: prefixes that our model's names have inside a larger one, such as a detector; longest first.
        first_names: start of a name that only a whole part has.
        cannot_hold: function (spec, grids of its tables) -> reason, for what the peer has no way to say.
        refuse_file: function (file, spec) -> reason, for files whose numbers mean something else.
        square_tables: the peer takes every table as square.
    """

    source: str
    formats: tuple
    dialect: dict
    groups: Callable
    cannot_hold: Callable
    refuse_file: Callable = lambda file, spec: None
    containers: tuple = ()
    prefixes: tuple = ()
    ignored: tuple = ()
    unused: tuple = ()
    counters: tuple = ()
    parts: tuple = ()
    first_names: str = ""
    square_tables: bool = False

    def take_part(self, file):
        """The file with the tensors of our model alone, where it is a part of a larger one."""
        for part in self.parts:
            if any(name.startswith(part + self.first_names) for name in file.arrays):
                own = {name.removeprefix(part): a for name, a in file.arrays.items() if name.startswith(part)}
                others = tuple(name for name in file.arrays if not name.startswith(part))
                return dataclasses.replace(file, arrays=own, others=others)
        return file

    def entries(self, spec):
        """All tensors a model of this spec may have, its head included: a tuple of `Entry` in the peer's order."""
        entries = []
        for prefix, rows, fields in self.groups(spec):
            for our_layer, their_layer, kind, *further in rows:
                layer, *others = (name.format(**fields) for name in (their_layer, *further))
                for variable, suffixes, transform in self.dialect[kind]:
                    entries.append(
                        Entry(
                            ours=f"{prefix}{our_layer}/{variable}",
                            theirs=tuple(layer + suffix for suffix in suffixes),
                            transform=fields[transform] if isinstance(transform, str) else transform,
                            is_table=kind == "table",
                            aliases=tuple(other + suffixes[0] for other in others),
                        )
                    )
        return tuple(entries)
