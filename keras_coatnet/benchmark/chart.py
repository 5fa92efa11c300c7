"""A picture of a comparison: bars of speed, with the range of the rounds' ratios."""

from keras_coatnet.weights.atomic import replacing

COLOURS = ("#3b6ea5", "#c46a2b", "#4d8f4d", "#8a5fa8", "#7d7d7d", "#b04a5a", "#3f9c9c", "#a08a2d")


def draw_chart(rows, path, title="Speed"):
    """Write a chart.

    Args:
        rows: of `compare`; several modes, sizes and batches get a panel each.
        path: with the ending of a picture, such as .png or .svg.
        title: above it.

    Raises: ModuleNotFoundError without matplotlib; ValueError for an ending that it does not write.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    panels = {}
    for row in rows:
        panels.setdefault(title_of(row), []).append(row)
    heights = [len(members) for members in panels.values()]
    figure = Figure(figsize=(8, 0.8 + sum(0.34 * height + 0.75 for height in heights)), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=[height + 1 for height in heights])[:, 0]
    colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(dict.fromkeys(map(label_of, rows)))}
    for panel, (text, members) in zip(axes, panels.items(), strict=True):
        draw_panel(panel, members, colours)
        panel.set_title(text, fontsize=9, loc="left")
    axes[-1].set_xlabel("speed over the first bar (lines: lowest and highest round); images a second", fontsize=8)
    figure.suptitle(title, fontsize=11)
    ending = str(path).rpartition(".")[2]
    with replacing(path) as part:
        figure.savefig(part, dpi=130, format=ending)


def draw_panel(panel, rows, colours):
    """Bars from top to bottom in the order of the rows."""
    places = range(len(rows))
    speeds = [row["speed_over_first"] for row in rows]
    ranges = [row["speed_range"] for row in rows]
    spread = [
        [speed - low for speed, (low, _) in zip(speeds, ranges, strict=True)],
        [high - speed for speed, (_, high) in zip(speeds, ranges, strict=True)],
    ]
    panel.barh(
        places, speeds, xerr=spread, color=[colours[label_of(row)] for row in rows], height=0.7, ecolor="#333333"
    )
    panel.set_yticks(places, [label_of(row) for row in rows], fontsize=8)
    panel.invert_yaxis()
    panel.axvline(1.0, color="#333333", linewidth=0.8, linestyle=":")
    for place, row, (_, high) in zip(places, rows, ranges, strict=True):
        panel.annotate(
            f" {row['images_a_second']:.1f}/s",
            (high, place),
            fontsize=7,
            va="center",
            xytext=(3, 0),
            textcoords="offset points",
        )
    panel.margins(x=0.12)
    panel.tick_params(axis="x", labelsize=8)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def label_of(row):
    """The name, with what runs it where that is not said by the name."""
    runtime = row.get("runtime")
    return f"{row['name']}, {runtime}" if runtime and runtime not in row["name"] else row["name"]


def title_of(row):
    height, width = row["image_size"]
    title = f"{row['mode']}, batch {row['batch_size']}, {height} x {width} pixels"
    return f"{row['variant']}, {title}" if "variant" in row else title
