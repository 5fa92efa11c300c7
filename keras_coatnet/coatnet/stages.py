"""A spec's stages as rows to show: what stands where, at which size."""

from itertools import groupby

from keras_coatnet.coatnet.plan import plan_blocks
from keras_coatnet.coatnet.sizes import map_sizes
from keras_coatnet.coatnet.spec import stem_widths
from keras_coatnet.families.stage import Stage


def list_stages(spec):
    """The stem and the stages of a spec, at its own input size.

    Returns: list of `Stage`.
    Raises: ValueError where the spec says something impossible.
    """
    sizes = map_sizes(spec, (spec.input_size, spec.input_size))
    widths = stem_widths(spec)
    rows = [Stage("stem", f"{len(widths)} convolution", widths[-1], sizes["stem"])]
    for stage, blocks in groupby(plan_blocks(spec), key=lambda block: block.stage):
        blocks = list(blocks)
        kinds = ", ".join(f"{len(list(same))} {kind}" for kind, same in groupby(block.kind for block in blocks))
        rows.append(Stage(f"stage{stage}", kinds, blocks[-1].width, sizes[blocks[-1].name]))
    return rows
