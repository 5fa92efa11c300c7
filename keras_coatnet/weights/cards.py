"""Model cards: what is known of each row of the manifest, as fields and sentences for people."""

from keras_coatnet.weights.in_package import path_in_package

ORIGINS = {
    "kecam": "keras_cv_attention_models",
    "timm": "timm",
    "official": "the authors",
    "keras": "this package",
}
# timm's own words on its weights: the licence of the code, and ImageNet's terms, are two things.
IMAGENET_NOTE = (
    "ImageNet's terms are for non-commercial research; whether they reach weights trained on it is for you to judge"
)


def card(row):
    """(field, text) of everything that a manifest row says.

    Args:
        row: `ManifestRow`.
    """
    yield "weights", f"{row.name} at {row.input_size}"
    yield "origin", origin(row)
    yield (
        "licence",
        "; ".join(part for part in (row.licence or "not stated", row.licence_note or IMAGENET_NOTE) if part),
    )
    yield "trained on", row.trained_on or "not stated"
    yield "classes", f"{row.num_classes:,}" + (f" ({row.labels})" if row.labels else "")
    yield "accuracy", "; ".join(map(accuracy, row.accuracy)) or "none published"
    yield "preprocessing", preprocessing(row)
    yield "usage", usage(row)


def origin(row):
    """Who made the weights, and where they lie."""
    maker = ORIGINS.get(row.source, row.source)
    if path_in_package(row):
        return f"{maker}; the weights come with it"
    return f"{maker}: " + ", ".join(file.url for file in row.files)


def accuracy(figures):
    """ "82.79 top-1 at 224 (source)"."""
    top5 = "" if figures.top5 is None else f", {figures.top5:g} top-5"
    return f"{figures.top1:g} top-1{top5} at {figures.input_size} ({figures.source})"


def preprocessing(row):
    """The steps from a picture to the model's input, in order."""
    steps = row.preprocessing
    size = row.input_size
    resized = f"{steps.interpolation} with antialias"
    if steps.order == "crop_then_resize":
        first = f"crop the central {steps.crop:g} of the short side, resize to {size} ({resized})"
    elif steps.crop_mode == "squash":
        first = f"resize to {round(size / steps.crop)} x {round(size / steps.crop)} ({resized}), aspect lost"
    else:
        first = f"resize the short side to {int(size / steps.crop)} ({resized}), crop the centre {size}"
    mean, std = (" ".join(f"{value:g}" for value in values) for values in (steps.mean, steps.std))
    return f"{first}; divide by 255, subtract {mean}, divide by {std}"


def usage(row):
    """One line of Python."""
    tag = "imagenet" if row.default else row.tag
    shape = f", input_shape=({row.input_size}, {row.input_size}, 3)"
    return f'keras_coatnet.build("{row.variant}"{shape}, pretrained="{tag}")'
