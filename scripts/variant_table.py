"""Write the generated parts: the table of trained variants in README.md, the full ones and the cards in docs/models.md.

python scripts/variant_table.py           # writes both pages
python scripts/variant_table.py --check   # writes nothing; exit status 1 where a page is stale
"""

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import keras_coatnet as kc  # noqa: E402
from keras_coatnet.coatnet.published import FIGURES, Figure  # noqa: E402
from keras_coatnet.weights.cards import card  # noqa: E402
from keras_coatnet.weights.in_package import path_in_package  # noqa: E402
from keras_coatnet.weights.manifest import row_from_json, shipped_manifest  # noqa: E402

ORIGINS = {"coatnet": "keras_cv_attention_models", "paper": "paper", "timm": "timm", "coat": "mlpc-ucsd/CoaT"}
SOURCES = {"arXiv 2106.04803": "paper", "keras_cv_attention_models README": "keras_cv_attention_models"}
SMALL_DATA_CLASSES = 200  # of the rows that are nobody else's
UNKNOWN = "-"
COLUMNS = ("variant", "origin", "parameters", "10^9 MACs", "size", "top-1", "trained on, at, reported by", "weights")
FIGURE_COLUMNS = ("variant", "top-1", "size", "trained on", "reported by", "note")


def manifest():
    return [row_from_json(entry) for entry in json.loads(shipped_manifest().read_text(encoding="utf-8"))]


def all_figures():
    """Published accuracies with weights (the manifest) and without, in the order of the variants."""
    released = [
        Figure(row.variant, figure.top1, figure.input_size, row.trained_on, figure.source, f"weights `{row.tag}`")
        for row in manifest()
        for figure in row.accuracy
    ]
    order = {name: position for position, name in enumerate(kc.list_variants())}
    return sorted((*FIGURES, *released), key=lambda figure: order[figure.variant])


def best_figure(name, figures):
    """The highest published top-1 of the variant as it stands, at its own size where there is one; or None."""
    own_size = kc.get_spec(name).input_size
    found = [figure for figure in figures if figure.variant == name and not figure.note.startswith("stride_in")]
    return max(found, key=lambda figure: (figure.input_size == own_size, figure.top1), default=None)


def variant_cells(name, figures, rows):
    spec, count = kc.get_spec(name), kc.count(name)
    best = best_figure(name, figures)
    weights = [weights_link(row, spec.input_size) for row in rows if row.variant == name]
    return (
        f"`{name}`",
        "this package" if spec.num_classes == SMALL_DATA_CLASSES else ORIGINS[spec.family],
        f"{count.parameters:,}",
        f"{count.macs / 1e9:.2f}",
        str(spec.input_size),
        UNKNOWN if best is None else percent(best.top1),
        UNKNOWN if best is None else f"{best.trained_on}, {best.input_size or 'size not given'}, {reported_by(best)}",
        ", ".join(weights) or UNKNOWN,
    )


def weights_link(row, own_size):
    """The tag, with its size where that is not the variant's, linked to the page that has the file."""
    if path_in_package(row):
        return f"`{row.tag}`, in the package"
    url = row.files[0].url
    page = (
        url.partition("/resolve/")[0] if "/resolve/" in url else url.rpartition("/")[0].replace("/download/", "/tag/")
    )
    size = "" if row.input_size == own_size else f" at {row.input_size}"
    return f"[`{row.tag}`{size}]({page})"


def card_text(row):
    """A heading and a list: everything the manifest says of a row."""
    (_, title), *fields = card(row)
    lines = [f"- {name}: `{text}`" if name == "usage" else f"- {name}: {text}" for name, text in fields]
    return "\n".join([f"### {title}", "", *lines])


def percent(top1):
    """As published, with one decimal at least."""
    return f"{top1:.1f}" if round(top1, 1) == top1 else f"{top1:g}"


def reported_by(figure):
    return SOURCES.get(figure.source, figure.source.split(" results/")[0])


def figure_cells(figure):
    return (
        f"`{figure.variant}`",
        percent(figure.top1),
        str(figure.input_size or UNKNOWN),
        figure.trained_on,
        figure.source,
        figure.note.replace("stride_in=", "`stride_in=").replace('wise"', 'wise"`') or UNKNOWN,
    )


def table(columns, rows):
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows))


def between_markers(text, marker, content):
    begin, end = f"<!-- {marker}:begin -->", f"<!-- {marker}:end -->"
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise SystemExit(f"The markers {begin} and {end} are missing.")
    return f"{before}{begin}\n{content}\n{end}{after}"


def pages():
    """{path: text it should have}."""
    figures, rows = all_figures(), manifest()
    cells = {name: variant_cells(name, figures, rows) for name in kc.list_variants()}
    readme, models = ROOT / "README.md", ROOT / "docs" / "models.md"
    trained = {row.variant for row in rows}
    short = table(COLUMNS, [cells[name] for name in kc.list_variants() if name in trained])
    full = table(COLUMNS, cells.values())
    published = table(FIGURE_COLUMNS, map(figure_cells, figures))
    text = models.read_text(encoding="utf-8")
    for marker, content in (("variants", full), ("figures", published), ("cards", "\n\n".join(map(card_text, rows)))):
        text = between_markers(text, marker, content)
    return {
        readme: between_markers(readme.read_text(encoding="utf-8"), "variants", short),
        models: text,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a page is stale")
    check = parser.parse_args().check
    stale = [path for path, text in pages().items() if path.read_text(encoding="utf-8") != text]
    if check:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale: run scripts/variant_table.py")
        return len(stale) > 0
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    print(f"Wrote {', '.join(str(path.relative_to(ROOT)) for path in stale) or 'nothing: both pages were fresh'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
