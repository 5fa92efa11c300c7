"""Feature maps of a graph that is being rewritten, each in whichever layouts its readers ask for."""

import dataclasses

import numpy as np

NCHW, NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


@dataclasses.dataclass(eq=False)
class Map:
    """One feature map.

    Args:
        sides: (B, H, W, C); None for open ones.
        nhwc, nchw: the values that hold it.
        unpadded, pads, padding: that it is the map `unpadded` with ((top, bottom), (left, right)) of the number
            `padding` around it; no value holds it until one is asked for.
    """

    sides: tuple
    nhwc: object = None
    nchw: object = None
    unpadded: object = None
    pads: tuple = ()
    padding: float = 0.0

    @property
    def is_channels_first(self):
        """Whether work on it costs no transpose in NCHW."""
        return self.nchw is not None or (self.unpadded is not None and self.unpadded.is_channels_first)


class Maps:
    """Which values of the old graph are maps, and how they are read in the new one."""

    def __init__(self, editor):
        self.editor = editor
        self._found = {}

    def __contains__(self, value):
        return value in self._found

    def add(self, value, found, layout):
        """Say that the old graph's `value` holds the map `found` in `layout`, "nhwc" or "nchw"."""
        self._found[value] = (found, layout)

    def find(self, value):
        """(map, layout in which the old graph holds it); (None, None) of any other value."""
        return self._found.get(value, (None, None))

    def read(self, value, place):
        """The old graph's `value` as a value of the new one."""
        found, layout = self._found[value]
        return self.nchw(found, place) if layout == "nchw" else self.nhwc(found, place)

    def nchw(self, found, place):
        """The map channels first, for the node `place`."""
        if found.nchw is None:
            if found.unpadded is not None:
                self._pad(found, place)
            if found.nchw is None:
                found.nchw = self._transpose(found.nhwc, NCHW, found, place)
        return found.nchw

    def nhwc(self, found, place):
        """The map channels last, for the node `place`."""
        if found.nhwc is None:
            found.nhwc = self._transpose(self.nchw(found, place), NHWC, found, place)
        return found.nhwc

    def _transpose(self, value, axes, found, place):
        return self.editor.node(place, "Transpose", [value], {"perm": axes}, shape=in_layout(found.sides, axes == NCHW))

    def _pad(self, found, place):
        first = found.unpadded.is_channels_first
        source = self.nchw(found.unpadded, place) if first else self.nhwc(found.unpadded, place)
        (top, bottom), (left, right) = found.pads
        pads = [0, 0, top, left, 0, 0, bottom, right] if first else [0, top, left, 0, 0, bottom, right, 0]
        inputs = [source, np.array(pads, "int64"), np.array(found.padding, "float32")]
        value = self.editor.node(place, "Pad", inputs, shape=in_layout(found.sides, first))
        found.nchw, found.nhwc = (value, None) if first else (None, value)


def in_layout(sides, channels_first):
    """(B, H, W, C) in the order of the layout."""
    return tuple(sides[axis] for axis in NCHW) if channels_first else tuple(sides)
