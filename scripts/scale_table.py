"""Write the table of docs/scale.md: what training the large CoAtNets takes on many accelerators, counted, not measured.

python scripts/scale_table.py                 # writes the page
python scripts/scale_table.py --check         # writes nothing; exit status 1 where the page is stale
python scripts/scale_table.py --memory 80     # prints the table for accelerators of so many GiB
"""

import argparse
import os
import sys
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import keras_coatnet as kc  # noqa: E402
from keras_coatnet.coatnet.plan import plan_blocks  # noqa: E402
from keras_coatnet.coatnet.sizes import block_size, stem_sizes  # noqa: E402
from keras_coatnet.coatnet.spec import stem_widths  # noqa: E402
from keras_coatnet.families.cost import area  # noqa: E402

PAGE, MARKER = ROOT / "docs" / "scale.md", "scale"
VARIANTS = ("coatnet_4_paper", "coatnet_5_paper", "coatnet_6_paper", "coatnet_7_paper")
ACCELERATORS = (8, 64, 256)
MEMORY, RESERVE = 32, 0.9  # GiB of an accelerator, and how much of it a plan may take
BATCH, SIZE = 4096, 224
# float32 weights, gradients, two moments of AdamW and the average; bfloat16 copies that are computed with.
STATE_BYTES = 4 + 4 + 8 + 4 + 2
GATHERED_BYTES = 4  # float32 gradients of the parts of a batch so far, where there are several
ACTIVATION_BYTES = 2  # bfloat16
# XLA's memory analysis of a compiled training step over what is counted here, for each picture more; see the page.
XLA_FACTOR = 1.5
# The backward pass multiplies twice for each product of the forward pass; a multiply-add is two operations.
STEP_FLOPS_PER_MAC = 2 * 3
COLUMNS = (
    "variant",
    "accelerators",
    "mesh (copies x cut)",
    "pictures at once a copy",
    "accumulation",
    "weights and optimizer",
    "activations",
    "together",
    "10^12 operations a step and device",
)


class Kept(NamedTuple):
    """Numbers of a part of a model: those that lie whole on every device, and those that are cut."""

    whole: int = 0
    cut: int = 0


def add(parts):
    return Kept(*map(sum, zip(*parts, strict=True)))


def parameters(spec):
    """Weights by whether `layout_map` cuts them."""
    cut = sum(cut_weights(block, spec.kernel_size) for block in plan_blocks(spec))
    return Kept(kc.count(spec).parameters - cut, cut)


def cut_weights(block, kernel_size):
    """Weights of a block's kernels that `layout_map` cuts."""
    hidden, attention = block.expanded_width, block.num_heads * block.head_dim
    if block.kind == "transformer":
        return block.input_width * 3 * attention + attention * block.width + 2 * block.width * hidden
    return hidden * (block.input_width + block.width + kernel_size**2 + 2 * block.squeeze_width)


def activations(spec, size):
    """Numbers kept for the backward pass of one picture: what goes into and comes out of every convolution, linear map
    and product. Norms and activations count as computed anew, which is what compilers make of them.
    """
    sides = stem_sizes(spec, (size, size))
    parts = [Kept(whole=area(grid) * width * 2) for grid, width in zip(sides, stem_widths(spec), strict=True)]
    sides = sides[-1]
    for block in plan_blocks(spec):
        before, sides = sides, block_size(spec, block, sides)
        keep = keep_transformer if block.kind == "transformer" else keep_mbconv
        parts.append(keep(spec, block, area(before), area(sides)))
    return add(parts)


def keep_mbconv(spec, block, before, after):
    """Maps in and behind the norm; two at the expansion and the depthwise convolution each, and one behind the gate."""
    expanded = before if spec.stride_in == "depthwise" else after
    gated = after if block.squeeze_width else 0
    return Kept(2 * before * block.input_width, block.expanded_width * (2 * expanded + 2 * after + gated))


def keep_transformer(spec, block, before, tokens):
    """Both norms' maps; queries, keys, values and what they make; attention maps in float32 and bfloat16; the MLP's."""
    attention = block.num_heads * block.head_dim
    whole = (before + tokens) * block.input_width + 2 * tokens * block.width
    return Kept(whole, tokens * (4 * attention + 2 * block.expanded_width) + 3 * block.num_heads * tokens**2)


class Plan(NamedTuple):
    """How a step is done: devices that share a copy, parts of a batch, and bytes a device."""

    cut: int
    accumulation: int
    state: float
    activations: float


def plan(spec, accelerators, memory, batch=BATCH, size=SIZE):
    """As few devices a copy as leave half of the memory for activations, then as few parts of a batch as can be."""
    weights, kept, limit = parameters(spec), activations(spec, size), memory * RESERVE * 2**30
    for cut in (1, 2, 4, 8):
        share = weights.whole + weights.cut / cut
        if STATE_BYTES * share > limit / 2:
            continue
        accumulation = 1
        while batch * cut // accumulation >= accelerators:
            state = share * (STATE_BYTES + (accumulation > 1) * GATHERED_BYTES)
            pictures = batch * cut / accelerators / accumulation
            held = XLA_FACTOR * ACTIVATION_BYTES * pictures * (kept.whole + kept.cut / cut)
            if state + held <= limit:
                return Plan(cut, accumulation, state, held)
            accumulation *= 2
    raise SystemExit(f"{spec.name} does not fit on {accelerators} accelerators of {memory} GiB.")


def cells(name, accelerators, memory):
    spec = kc.get_spec(name)
    found = plan(spec, accelerators, memory)
    copies = accelerators // found.cut
    operations = STEP_FLOPS_PER_MAC * BATCH * kc.count(spec, (SIZE, SIZE)).macs / accelerators
    return (
        f"`{name}`",
        str(accelerators),
        f"{copies} x {found.cut}",
        str(BATCH // copies // found.accumulation),
        str(found.accumulation),
        f"{found.state / 2**30:.1f} GiB",
        f"{found.activations / 2**30:.1f} GiB",
        f"{(found.state + found.activations) / 2**30:.1f} GiB",
        f"{operations / 1e12:,.0f}",
    )


def table(memory=MEMORY):
    rows = [cells(name, accelerators, memory) for name in VARIANTS for accelerators in ACCELERATORS]
    return "\n".join(f"| {' | '.join(row)} |" for row in (COLUMNS, ["---"] * len(COLUMNS), *rows))


def page():
    """The text that docs/scale.md should have."""
    begin, end = f"<!-- {MARKER}:begin -->", f"<!-- {MARKER}:end -->"
    before, found_begin, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise SystemExit(f"The markers {begin} and {end} are missing.")
    return f"{before}{begin}\n{table()}\n{end}{after}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the page is stale")
    parser.add_argument("--memory", type=float, metavar="GIB", help="print the table for such accelerators instead")
    options = parser.parse_args()
    if options.memory is not None:
        print(table(options.memory))
        return 0
    text = page()
    stale = PAGE.read_text(encoding="utf-8") != text
    if options.check:
        print(f"docs/scale.md is {'stale: run scripts/scale_table.py' if stale else 'fresh'}")
        return int(stale)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
