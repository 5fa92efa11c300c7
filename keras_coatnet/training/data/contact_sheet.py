"""A sheet of pictures as a recipe hands them to training, for people to look at."""

import numpy as np

from keras_coatnet.images.preprocess import IMAGENET_MEAN, IMAGENET_STD
from keras_coatnet.images.read import UnreadableImage
from keras_coatnet.images.resize import resize_image
from keras_coatnet.training.augment.mixing import BatchMix, one_hot
from keras_coatnet.training.augment.randomness import BATCH, PICTURE, generator_for
from keras_coatnet.training.data.feeds import make_augmentation
from keras_coatnet.training.data.order import TrainingOrder

GAP, LINE = 4, 14
PAPER, INK = (255, 255, 255), (40, 40, 40)


def draw_contact_sheet(data, recipe, *, pictures=8, variants=6, seed=0):
    """One row a picture: the original, how some epochs see it, and what is left of it in a mixed batch.

    Args:
        data: `sources.Data`.
        recipe: `Recipe`; its `image_size` is the size of the tiles.
        pictures: rows.
        variants: augmented pictures a row.
        seed: of the choice and of all that happens to the pictures.

    Returns: PIL picture.
    """
    chosen = _readable(data.train, pictures, seed)
    augment = make_augmentation(recipe)
    originals = [data.train.read(index) for index in chosen]
    epochs = [
        np.stack(
            [
                augment(picture, generator_for(PICTURE, seed, epoch, index, 0))
                for picture, index in zip(originals, chosen, strict=True)
            ]
        )
        for epoch in range(variants + 1)
    ]
    columns = {"original": [_squashed(picture, augment.crop.size) for picture in originals]}
    columns |= {f"epoch {epoch + 1}": _colours(epochs[epoch]) for epoch in range(variants)}
    if recipe.mixup or recipe.cutmix:
        labels = one_hot([data.train.label(index) for index in chosen], len(data.classes))
        # Both kinds take turns in training; here each gets a column.
        for title, mix in (
            ("MixUp", BatchMix(mixup_alpha=recipe.mixup)),
            ("CutMix", BatchMix(cutmix_alpha=recipe.cutmix)),
        ):
            mixed, _ = mix(epochs[-1], labels, generator_for(BATCH, seed, 0, 0))
            if mix != BatchMix():
                columns[title] = _colours(mixed)
    names = [data.classes[data.train.label(index)] for index in chosen]
    return _draw(columns, names, f"{recipe.name}, {recipe.image_size} pixels, seed {seed}")


def _readable(source, count, seed):
    """Indices of pictures that can be read, in random order."""
    order = TrainingOrder(len(source), len(source), seed).batch(0, 0)[:, 0].tolist()
    found = []
    for index in order:
        try:
            source.read(index)
        except UnreadableImage:
            continue
        found.append(index)
        if len(found) == count:
            break
    return found


def _squashed(picture, size):
    return np.asarray(resize_image(picture, size)).round().astype(np.uint8)


def _colours(normalised):
    """Bytes of normalised pictures; noise beyond the range is cut off."""
    colours = (normalised * np.float32(IMAGENET_STD) + np.float32(IMAGENET_MEAN)) * 255
    return np.clip(colours, 0, 255).round().astype(np.uint8)


def _draw(columns, names, caption):
    from PIL import Image, ImageDraw

    tile_height, tile_width = next(iter(columns.values()))[0].shape[:2]
    width = GAP + len(columns) * (tile_width + GAP)
    height = 2 * LINE + GAP + len(names) * (tile_height + LINE + GAP)
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, 1), caption, fill=INK)
    for column, (title, tiles) in enumerate(columns.items()):
        left = GAP + column * (tile_width + GAP)
        draw.text((left, LINE), title, fill=INK)
        for row, tile in enumerate(tiles):
            top = 2 * LINE + GAP + row * (tile_height + LINE + GAP)
            if column == 0:
                draw.text((left, top), names[row], fill=INK)
            sheet.paste(Image.fromarray(tile), (left, top + LINE))
    return sheet
