"""One stage of a spec as a row to show."""

from typing import NamedTuple


class Stage(NamedTuple):
    """One stage: its blocks as text, such as "2 mbconv", the channels and the (H, W) of its map."""

    name: str
    blocks: str
    width: int
    size: tuple
