"""Draw accuracy against parameters and against measured speed, and say in docs/choose.md what the pictures show.

python scripts/plot_models.py           # writes the pictures and the page's generated parts; needs matplotlib
python scripts/plot_models.py --check   # writes nothing; exit status 1 where something is stale

Accuracies are the published ones of released weights. Speeds are those of docs/performance/*.json, which `keras-coatnet
benchmark NAME... --out FILE` and scripts/benchmark_peers.py write: inference of ours, batches of 8. Of several machines
the one with the most models is taken. Without such a file there is no second picture, and the page says so.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import keras_coatnet as kc  # noqa: E402

PAGE, PICTURES, MEASURED = ROOT / "docs" / "choose.md", ROOT / "docs" / "pictures", ROOT / "docs" / "performance"
PARAMETERS, SPEED = "accuracy_parameters.svg", "accuracy_speed.svg"
BATCH_SIZE = 8
# Two models and more make a comparison.
FEWEST = 2
COLOURS = {"ImageNet-1k": "#3b6ea5", "ImageNet-12k, tuned on ImageNet-1k": "#c46a2b"}
# Of a name's letters, in points; half a point's mark; how far a name is from it.
LETTER, LINE, POINT, GAP = 4.0, 9.0, 5.0, 6.0
PLACES = tuple((side, level) for level in (0, 1, -1, 2, -2, 3, -3) for side in (1, -1, 0) if side or abs(level) > 1)
BACKENDS = {"jax": "o", "torch": "s", "tensorflow": "^"}
BACKEND_NAMES = {"jax": "JAX", "torch": "PyTorch", "tensorflow": "TensorFlow"}


class Point(NamedTuple):
    """A released model: `x` is millions of parameters, or images a second; `backend` is "" for the first."""

    name: str
    x: float
    top1: float
    trained_on: str
    backend: str = ""


class Speeds(NamedTuple):
    """Measured on one machine: {(variant, size, backend): images a second}."""

    machine: str
    found: dict


def accuracies():
    """{(variant, size): (top-1, data)}: the best published one of released weights at the size they were made for."""
    best = {}
    for row in tables().manifest():
        key, data = (row.variant, row.input_size), row.trained_on.removesuffix(f" at {row.input_size}")
        for figure in row.accuracy:
            known = figure.input_size == row.input_size and data in COLOURS
            if known and figure.top1 > best.get(key, (0, ""))[0]:
                best[key] = (figure.top1, data)
    return best


def points_by_parameters():
    return [
        Point(label(variant, size), kc.count(variant).parameters / 1e6, top1, data)
        for (variant, size), (top1, data) in accuracies().items()
    ]


def points_by_speed(speeds):
    known = accuracies()
    return [
        Point(label(variant, size), speed, *known[variant, size], backend)
        for (variant, size, backend), speed in sorted(speeds.found.items())
        if (variant, size) in known
    ]


def label(variant, size):
    return variant if size == kc.get_spec(variant).input_size else f"{variant} at {size}"


def measured(folder):
    """`Speeds` of the machine with the most models; None where nothing was measured."""
    machines = defaultdict(dict)
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(record, dict) and "machine" in record:
            machines[describe(record)].update(speeds_of(record.get("rows", ())))
    name, found = max(machines.items(), key=lambda item: len(item[1]), default=(None, {}))
    return Speeds(name, found) if found else None


def describe(record):
    settings = record.get("settings") or {}
    threads = f", {settings['threads']} threads" if settings.get("threads") else ""
    return f"{record['machine']['processor']}{threads}"


def speeds_of(record_rows):
    """Ours as it is, one process a backend: no peers, no fused models, no Keras functions around it."""
    for row in record_rows:
        kind, _, backend = row["name"].partition("ours ")
        variant = row.get("variant") if not kind else row["name"]
        backend = backend if not kind else row.get("runtime")
        if row["mode"] == "inference" and row["batch_size"] == BATCH_SIZE and backend in BACKENDS:
            height, width = row["image_size"]
            if variant in kc.list_variants() and height == width:
                yield (variant, height, backend), row["images_a_second"]


def pictures():
    """{file name: (points, horizontal axis, title)} of what there is to draw."""
    drawn = {PARAMETERS: (points_by_parameters(), "million parameters", "Released weights: accuracy, parameters")}
    speeds = measured(MEASURED)
    points = points_by_speed(speeds) if speeds else []
    if len({point.name for point in points}) >= FEWEST:
        title = f"Released weights: accuracy, speed on {speeds.machine}"
        drawn[SPEED] = (points, f"images a second, batches of {BATCH_SIZE}", title)
    return drawn


def digest(points, axis, title):
    """Of what is drawn, not of how: other versions of matplotlib write other bytes."""
    return hashlib.sha256(json.dumps([points, axis, title]).encode()).hexdigest()


def draw(path, points, axis, title):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "keras_coatnet", "font.size": 9}):
        figure = Figure(figsize=(9, 5.4), layout="constrained")
        panel = figure.subplots()
        for data, colour in COLOURS.items():
            for backend in ("", *BACKENDS):
                shown = [point for point in points if (point.trained_on, point.backend) == (data, backend)]
                if shown:
                    name = data if not backend else f"{data}, {BACKEND_NAMES[backend]}"
                    marker = BACKENDS.get(backend, "o")
                    x, y = [point.x for point in shown], [point.top1 for point in shown]
                    panel.scatter(x, y, s=34, color=colour, marker=marker, label=name, zorder=3)
        panel.set_xscale("log")
        panel.margins(x=0.14, y=0.08)
        ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if in_range(tick, panel.get_xlim())]
        panel.set_xticks(ticks, [str(tick) for tick in ticks])
        panel.minorticks_off()
        panel.grid(color="#dddddd", linewidth=0.6)
        panel.set_xlabel(axis)
        panel.set_ylabel("top-1 on ImageNet-1k, percent")
        panel.set_title(title, loc="left")
        panel.legend(loc="best", frameon=False)
        write_names(panel, points)
        figure.savefig(path, metadata={"Date": None, "Description": digest(points, axis, title)})


def write_names(panel, points):
    """Each beside its point, at the first place where it covers nothing, else where it covers least."""
    panel.figure.draw_without_rendering()
    centres = [tuple(panel.transData.transform((point.x, point.top1))) for point in points]
    taken = [(x - POINT, y - POINT, x + POINT, y + POINT) for x, y in centres]
    left, bottom, right, top = panel.bbox.extents
    scale = panel.figure.dpi / 72
    for point, (x, y) in sorted(zip(points, centres, strict=True)):
        wide, high = LETTER * scale * len(point.name), LINE * scale
        boxes = []
        for side, level in PLACES:
            low = x + side * GAP * scale - (wide if side < 0 else wide / 2 if side == 0 else 0)
            deep = y + level * GAP * scale - high / 2
            box = (low, deep, low + wide, deep + high)
            inside = left <= box[0] and box[2] <= right and bottom <= box[1] and box[3] <= top
            boxes.append((sum(overlap(box, other) for other in taken) if inside else float("inf"), box))
        _, box = min(boxes, key=lambda each: each[0])
        taken.append(box)
        place = panel.transData.inverted().transform((box[0], (box[1] + box[3]) / 2))
        panel.text(*place, point.name, fontsize=7, ha="left", va="center", color="#333333")


def overlap(box, other):
    """Area that two boxes (left, bottom, right, top) share."""
    return max(0, min(box[2], other[2]) - max(box[0], other[0])) * max(0, min(box[3], other[3]) - max(box[1], other[1]))


def in_range(value, limits):
    return limits[0] <= value <= limits[1]


def page(text):
    """The page with its generated parts renewed."""
    between = tables().between_markers
    drawn = pictures()
    text = between(text, "parameters", image(PARAMETERS, drawn[PARAMETERS]))
    if SPEED in drawn:
        return between(text, "speed", image(SPEED, drawn[SPEED]))
    return between(text, "speed", "No speeds of several released models were recorded in `docs/performance` yet.")


def image(file, drawn):
    _, axis, title = drawn
    return f"![{title}; top-1 over {axis}](pictures/{file})"


def tables():
    """scripts/variant_table.py, which knows how to renew a part of a page."""
    spec = importlib.util.spec_from_file_location("variant_table", ROOT / "scripts" / "variant_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stale():
    """Names of the files that the script would write anew."""
    text = PAGE.read_text(encoding="utf-8")
    found = [] if page(text) == text else [PAGE.name]
    drawn = pictures()
    for file, what in drawn.items():
        path = PICTURES / file
        if not path.exists() or digest(*what) not in path.read_text(encoding="utf-8"):
            found.append(file)
    if SPEED not in drawn and (PICTURES / SPEED).exists():
        found.append(SPEED)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where something is stale")
    if parser.parse_args().check:
        found = stale()
        sys.exit(f"stale: {', '.join(found)}: run scripts/plot_models.py" if found else 0)
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / SPEED).unlink(missing_ok=True)
    for file, what in pictures().items():
        draw(PICTURES / file, *what)
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    if not (PICTURES / SPEED).exists():
        print(f"No picture of speeds: {MEASURED.relative_to(ROOT)} holds none of two released models on one machine")


if __name__ == "__main__":
    main()
