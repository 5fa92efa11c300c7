"""Write docs/performance.md from what was measured: the JSON files of docs/performance.

    python scripts/performance_page.py           # writes the page
    python scripts/performance_page.py --check   # writes nothing; exit status 1 where the page is stale

Files: `peers*.json` of benchmark_peers, `forms*.json` of it too, where ours alone is compared, `startup.json` of
benchmark_startup, `profile*.json` of profile_blocks, `scaling.json` and `large.json` of benchmark_scaling; by hand
`targets.json` with "speed", a list of {"variant", "mode", "batch_size", "name", "over", "target"}, "memory" and
"startup", the most of each, and `tried.json`, a list of {"change", "where", "ratio", "verdict"}. A section whose file
is missing is left out.
"""

import argparse
import json
import statistics
import sys
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BACKENDS = ("jax", "tensorflow", "torch")
PAGE, FOLDER = ROOT / "docs" / "performance.md", ROOT / "docs" / "performance"

INTRODUCTION = """# Performance

How fast the models are beside their peers on one machine, where the time goes, and what can be done about it. All
tables are written by `scripts/performance_page.py` from the files in `docs/performance`.

`keras-coatnet benchmark` measures your own machine: variants, saved models and exported files, inference and training,
over batch and image sizes.

```bash
keras-coatnet benchmark coatnet_0 --fused --batch-size 1 8
keras-coatnet benchmark coatnet_0 --backends jax torch tensorflow --mode inference training --chart speed.png
```

## How it is measured

- Everything that is compared has a process of its own. All are alive together, and are woken one at a time, each once a
  round, in an order drawn anew. A ratio is the median of the rounds' ratios, with the lowest and highest.
- Before anything is timed, logits (and the loss of the first training step) have to be those of the peer: the same
  random weights are in both.
- All sides have the same cores and as many threads. "+m" and the rows of ours keep freed memory, see below; "plain"
  does not.
- *limit* is the share of the fastest matrix product that the model's own multiply-adds come to, measured in the same
  rounds; *floor* is the time they would take at that speed. A training step counts three times the forward pass.
- *MB* is the most memory of the process above what it held before the model was built. For CoaT, for coatnet_0 and in
  the table of kept memory, JAX and PyTorch have 450 MB too much there: TensorFlow, which the benchmark loaded beside
  them then and does no more.
- The limit's product is JAX's. In bfloat16 XLA makes no use of the processor's own instructions for it, so that the
  others are above their limit there.
"""

HELD_BACK = """What is not reached, and what the profile below says of it:

- JAX: XLA's convolutions of the stem take more than twice PyTorch's time, stage 1 half as long again. Backward, the
  gradients of depthwise kernels and of batch norm are sums over all pixels, which XLA computes far from the speed of
  memory: stages 1 and 2 keep more than half of what is lost in a training step.
- JAX's memory: of the 4.9 GB of a training step without a file of weights, 0.5 are the model, AdamW's sums and tracing,
  0.8 what XLA's compiler leaves, 1.9 its buffers, and 1.6 a second place for those buffers, which keeping freed memory
  costs (3.4 GB in all without it). In inference 0.2 come with the build and as much with compiling and answering.
- TensorFlow: products are as fast as PyTorch's; stage 1, where maps are largest, keeps most of what is lost. `fit`
  takes 1.3 times the bare step in a process of its own on two cores, and not a tenth more where both are in one process
  on four; why is not known. PyTorch's takes 1.06 times. JAX's, in a run of its own, is at 0.63 of timm+m.
- A single image: onnxruntime and OpenVINO plan all buffers beforehand; eager PyTorch, like timm's, does not. The most
  memory is taken while weights are loaded: the model's, the file's, and the old ones, to be put back if that fails.
- bfloat16 was to be 1.5 times our float32. In two runs PyTorch's is 1.46 and 1.28 (timm's 1.59 and 1.36), TensorFlow's
  1.40 and 1.00, JAX's 0.82 and 0.74: XLA makes no use of the processor's own instructions for it.
"""

MEMORY = """## Memory that is kept

The C library of Linux maps every buffer of more than 32 MB anew and gives it back when it is freed. Each page of it
then faults when it is first touched. `keras-coatnet train`, `evaluate` and `predict` have the C library keep freed
memory (with `mallopt`, in their own process alone: no environment variable is set, and child processes and exported
files are left as they are). They leave it alone where you have tuned the allocator yourself (`MALLOC_...`,
`GLIBC_TUNABLES`, another allocator in `LD_PRELOAD`) and with `KERAS_COATNET_KEEP_MEMORY=0`.

The package never does this to your program. In a notebook or a script, call it before the first model is built:

```python
from keras_coatnet.allocator import keep_freed_memory

keep_freed_memory()
```

For programs that cannot call it, the same is had from outside, before the process starts:

```bash
export MALLOC_MMAP_THRESHOLD_=8589934592 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=268435456 MALLOC_ARENA_MAX=1
```
"""

COMMANDS = """## To measure again

Each takes a quiet machine; `--cores` pins all sides to the same cores.

```bash
scripts/benchmark_peers coatnet_0_rw --cores 0,1 --threads 2 --json docs/performance/peers_inference.json
scripts/benchmark_peers coatnet_0_rw --mode training --subjects timm+m 'timm compiled*' 'ours*' --batch-size 8 \\
    --at-once 3 --cores 0,1 --threads 2 --json docs/performance/peers_training.json
scripts/benchmark_peers coat_lite_tiny coat_tiny --subjects timm timm+m onnxruntime 'ours jax*' 'ours tensorflow*' \\
    'ours torch*' --batch-size 1 8 --cores 0,1 --threads 2 --json docs/performance/peers_coat.json
scripts/benchmark_peers coatnet_0 --subjects 'kecam*' 'ours*' --batch-size 8 --cores 0,1 --threads 2 \\
    --json docs/performance/peers_others.json
scripts/benchmark_peers coatnet_0_rw --dtype bfloat16 --subjects timm+m 'ours*' --batch-size 8 --cores 0,1 \\
    --threads 2 --json docs/performance/peers_bfloat16.json
keras-coatnet benchmark NAME... --batch-size 8 --cores 0,1 --threads 2 --out docs/performance/models.json
taskset -c 0,1 python scripts/benchmark_startup.py --timm-python PYTHON --json docs/performance/startup.json
python scripts/profile_blocks.py coatnet_0_rw --cores 0,1 --threads 2 --json docs/performance/profile.json
python scripts/benchmark_scaling.py coatnet_0_rw --cores 0,1 --threads 2 --json docs/performance/scaling.json
python scripts/benchmark_scaling.py --large --json docs/performance/large.json
python scripts/performance_page.py
```

`scripts/benchmark_gpu` runs all that is asked of a GPU, where there is one.
"""


def page(folder):
    """The text of the page from the files of a folder."""
    sections = [INTRODUCTION]
    peers, forms = read(folder, "peers*.json"), read(folder, "forms*.json")
    if peers:
        sections += ["## Beside the peers\n", *map(peers_section, peers), own_section(peers + forms)]
    targets = next(iter(read(folder, "targets.json")), {})
    if targets and peers:
        sections += [targets_section(targets["speed"], peers), memory_targets(targets["memory"], peers), HELD_BACK]
    sections.append(MEMORY)
    sections.append(memory_table(peers + forms))
    for record in read(folder, "startup.json"):
        sections.append(startup_section(record, targets.get("startup", {})))
    for record in read(folder, "profile*.json"):
        sections.append(profile_section(record))
    for record in read(folder, "scaling.json"):
        sections.append(scaling_section(record))
    for record in read(folder, "large.json"):
        sections.append(large_section(record))
    for changes in read(folder, "tried.json"):
        sections.append(tried_section(changes))
    return "\n".join(filter(None, [*sections, COMMANDS]))


def read(folder, pattern):
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob(pattern))]


def peers_section(record):
    """A table for each variant, mode, size and batch."""
    lines = [machine_line(record), ""]
    key = lambda row: (row["variant"], row["mode"], tuple(row["image_size"]), row["batch_size"])  # noqa: E731
    for (variant, mode, (height, width), batch_size), group in groupby(sorted(record["rows"], key=key), key):
        rows = list(group)
        bases = list(dict.fromkeys(base for row in rows for base in row["over"]))
        dtype = record["settings"].get("dtype", "float32")
        precision = "" if dtype == "float32" else f", {dtype}"
        lines += [f"**{variant}, {mode}{precision}, batch {batch_size}, {height} x {width} pixels**", ""]
        lines += table(
            ("", "ms", "floor", "limit", "images/s", "MB", *(f"over {base}" for base in bases)),
            [peer_cells(row, bases) for row in first_of_each(rows)],
        )
    return "\n".join(lines)


def first_of_each(rows):
    """Bases are measured again with every group."""
    found = {}
    for row in rows:
        found.setdefault(row["name"], row)
    return found.values()


def peer_cells(row, bases):
    return (
        row["name"],
        f"{row['milliseconds']:.1f}",
        f"{row['floor_milliseconds']:.1f}",
        f"{row['utilisation']:.0%}",
        f"{row['images_a_second']:.1f}",
        megabytes(row["peak_bytes"]),
        *(spread(row["over"].get(base)) for base in bases),
    )


def memory_table(records):
    """What keeping freed memory is worth, where both ways were measured side by side."""
    pairs = {"timm+m": "timm", "kecam+m": "kecam", **{f"ours {name}": f"ours {name}, plain" for name in BACKENDS}}
    found = [
        (
            what_of(kept),
            spread(speed_over(kept, plain)),
            *("-" if row["page_faults"] is None else f"{row['page_faults']:,.0f}" for row in (plain, kept)),
            *(megabytes(row["peak_bytes"]) for row in (plain, kept)),
        )
        for kept, plain in paired(records, pairs)
    ]
    headings = ("", "speed kept / plain", "faults a call, plain", "kept", "MB, plain", "kept")
    return "\n".join(table(headings, found)) if found else None


def own_section(records):
    """Ours against ours: fused models, and Keras' functions around the bare step."""
    endings = {", fused": "fused / not", ", keras": "Keras' function / bare"}
    pairs = {f"ours {name}{ending}": f"ours {name}" for name in BACKENDS for ending in endings}
    found = [
        (what_of(row), endings[", " + row["name"].rpartition(", ")[2]], spread(speed_over(row, base)))
        for row, base in paired(records, pairs)
    ]
    return "\n".join(["## Ours in other forms", "", *table(("", "speed of", ""), found)]) if found else None


def targets_section(targets, records):
    """What was aimed at, and what it came to; a fused model is another way to reach a target of inference."""
    found = {}
    for row in (row for record in records for row in record["rows"] if record["settings"].get("dtype") != "bfloat16"):
        found.setdefault((row["variant"], row["mode"], row["batch_size"], row["name"]), row["over"])
    lines = []
    for target in targets:
        place = tuple(target[key] for key in ("variant", "mode", "batch_size"))
        as_is, fused = (
            found.get((*place, target["name"] + ending), {}).get(target["over"]) for ending in ("", ", fused")
        )
        if as_is is not None:
            reached = max(ratio[0] for ratio in (as_is, fused) if ratio is not None) >= target["target"]
            what = f"{target['name']} over {target['over']}, {', batch '.join(map(str, place[1:]))}"
            lines.append((what, f"{target['target']:.2f}", spread(as_is), spread(fused), "yes" if reached else "no"))
    if not lines:
        return None
    heading = f"## What was aimed at: {targets[0]['variant']}"
    return "\n".join([heading, "", *table(("speed", "aim", "as it is", "fused", "reached"), lines)])


def memory_targets(targets, records):
    """Peaks of ours over the peer's of the same run, and what they were to stay under."""
    pairs = {f"ours {name}": targets["over"] for name in BACKENDS}
    lines = []
    for row, base in paired([each for each in records if each["settings"].get("dtype") != "bfloat16"], pairs):
        if row["variant"] == targets["variant"] and row["mode"] in targets and row["peak_bytes"] and base["peak_bytes"]:
            ratio, most = row["peak_bytes"] / base["peak_bytes"], targets[row["mode"]]
            lines.append((what_of(row), f"{most:.2f}", f"{ratio:.2f}", "yes" if ratio <= most else "no"))
    headings = (f"most memory over {targets['over']}", "aim", "as it is", "reached")
    return "\n".join(table(headings, lines)) if lines else None


def paired(records, pairs):
    """Rows and their partners by name, of the same group of a record."""
    for record in records:
        place = {(row["group"], row["name"]): row for row in record["rows"]}
        for (group, name), row in place.items():
            if (partner := place.get((group, pairs.get(name)))) is not None:
                yield row, partner


def what_of(row):
    return f"{row['name'].removesuffix('+m')}, {row['variant']}, {row['mode']}, batch {row['batch_size']}"


def speed_over(row, base):
    """(median, lowest, highest) of the rounds' ratios."""
    ratios = [theirs / ours for ours, theirs in zip(row["seconds"], base["seconds"], strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


def startup_section(record, targets):
    """Seconds to the first answer, and behind the import, over the peer's in the same round, with what it was to be."""
    beyond = {name: [sum(steps[1:3]) for steps in rounds] for name, rounds in record["seconds"].items()}
    peer = next((name for name in beyond if name.startswith("timm")), None)
    lines = []
    for name, rounds in record["seconds"].items():
        times = [statistics.median(values) for values in list(zip(*rounds, strict=True))[:3]]
        ratio = statistics.median(a / b for a, b in zip(beyond[name], beyond[peer], strict=True)) if peer else None
        over = "-" if ratio is None else f"{ratio:.2f}"
        lines.append((name, *(f"{value:.2f}" for value in times), over, str(targets.get(name, "-"))))
    headings = ("seconds", "import", "build", "first prediction", "build and first prediction over timm's", "aim")
    said = f"Fresh processes, one image; medians of rounds, load before {record['load_before']:.1f}."
    return "\n".join(["## Start-up", "", said, "", *table(headings, lines)])


def profile_section(record):
    lines = [f"## Where the time goes: {record['variant']}, batch {record['batch_size']}", "", machine_line(record), ""]
    limits = record["limits"]
    lines += [
        f"Milliseconds of each block alone, equal blocks together; backward is both passes less the forward one. The "
        f"floor is the larger of FLOP at {limits['flops'] / 1e9:.0f} GFLOP/s and bytes (input, output, weights) at "
        f"{limits['bytes_a_second'] / 1e9:.0f} GB/s; the whole's is the sum of the parts'.",
        "",
    ]
    headings = ("", "GFLOP", "inference", "floor", "gap", "training forward", "backward", "floor", "gap")
    for backend, rows in record["backends"].items():
        lines += [f"**{backend}**", "", *table(headings, [profile_cells(row) for row in rows])]
    return "\n".join(lines)


def profile_cells(row):
    times = ("inference", "forward_floor", "inference_gap", "training_forward", "backward", "backward_floor")
    return (
        row["name"] if row["count"] == 1 else f"{row['name']} and {row['count'] - 1} like it",
        f"{row['gflop']:.1f}",
        *(f"{row[key]:.1f}" for key in (*times, "backward_gap")),
    )


def scaling_section(record):
    lines = [f"## Size and depth: {record['variant']} on {record['backend']}, batch {record['batch_size']}", ""]
    lines += [machine_line(record), ""]
    for what, key in (("sizes", "side"), ("depths", "blocks")):
        found = record[what]
        lines += table(
            (key, "ms", "GMAC", "attention maps of all blocks, MB", "of the largest, MB", "peak MB"),
            [
                (
                    str(row[key]),
                    f"{row['milliseconds']:.1f}",
                    f"{row['macs'] / 1e9:.2f}",
                    megabytes(row["map_bytes"]),
                    megabytes(row["largest_map_bytes"]),
                    megabytes(row["peak_bytes"]),
                )
                for row in found["rows"]
            ],
        )
        named = {"milliseconds": "time", "macs": "multiply-adds", "map_bytes": "attention maps", "peak_bytes": "peak"}
        fitted = ", ".join(f"{named[name]} {value:.2f}" for name, value in found["exponents"].items())
        lines += [f"Exponents over {key}: {fitted}.", ""]
    return "\n".join(lines)


def large_section(record):
    lines = ["## The largest", ""]
    for row in record["large"]:
        verdict = "within" if row["fits"] else "more than"
        peak = f"{row['peak_bytes'] / 2**30:.1f} GiB at most: {verdict} 24 GiB"
        lines.append(f"- `{row['name']}` {row['done']} in bfloat16 with {peak}.")
    return "\n".join([*lines, ""])


def tried_section(changes):
    headings = ("change", "where", "speed over before", "verdict")
    rows = [tuple(str(each[key]) for key in ("change", "where", "ratio", "verdict")) for each in changes]
    return "\n".join(["## What was tried", "", *table(headings, rows)])


def machine_line(record):
    """What a figure means nothing without."""
    machine = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    settings = record.get("settings", record)
    told = [machine["processor"], f"{settings['threads']} threads a process" if settings.get("threads") else None]
    told += [f"{settings['rounds']} rounds" if settings.get("rounds") else None]
    load = f"load before {record['load_before']:.1f}" if record.get("load_before") is not None else None
    return f"{', '.join(filter(None, (*told, load)))}; {versions}."


def table(headings, rows):
    """Lines of Markdown, an empty one behind them."""
    rule = ["---", *["---:"] * (len(headings) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (headings, rule, *rows)] + [""]


def spread(speed):
    return "-" if speed is None else "{:.2f} ({:.2f}-{:.2f})".format(*speed)


def megabytes(value):
    return "-" if value is None else f"{value / 1e6:,.0f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    text = page(FOLDER)
    if not options.check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit(f"{PAGE} is stale: run scripts/performance_page.py")


if __name__ == "__main__":
    main()
