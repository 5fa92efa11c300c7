"""From a recipe and a source of pictures to what `fit` and `evaluate` are fed with."""

import logging

from keras_coatnet.images.preprocess import IMAGENET_MEAN, IMAGENET_STD
from keras_coatnet.prediction.spread import round_up
from keras_coatnet.training.augment.auto_augment import AutoAugment
from keras_coatnet.training.augment.crop import RandomResizedCrop
from keras_coatnet.training.augment.erasing import RandomErasing
from keras_coatnet.training.augment.mixing import BatchMix
from keras_coatnet.training.augment.picture import PictureAugmentation
from keras_coatnet.training.augment.rand_augment import RandAugment
from keras_coatnet.training.data.batches import EvaluationBatchMaker, TrainingBatchMaker
from keras_coatnet.training.data.feed import Feed
from keras_coatnet.training.data.order import TrainingOrder
from keras_coatnet.training.scale.devices import current_parts

log = logging.getLogger("keras_coatnet")


def training_feed(
    source, classes, recipe, *, size=None, mean=IMAGENET_MEAN, std=IMAGENET_STD, seed=0, loader="auto", workers=None
):
    """Augmented batches for `model.fit`, without end.

    Args:
        source: pictures to train on, such as `open_data(...).train`.
        classes: how many.
        recipe: `Recipe`.
        size: (height, width); None is the recipe's square.
        mean, std: of the model's `Preprocessing`.
        seed: of order, augmentation and mixing.
        loader, workers: see `Feed`.

    Returns: `Feed` of (images, labels), float32 (N, height, width, 3) and (N, classes). N is the recipe's batch size
        over its accumulation; the whole source where that is smaller; less where the devices of the distribution or
        strategy in whose scope this is called do not divide it. In a run of several processes each has its part.
    """
    wanted, parts = recipe.batch_size // recipe.accumulation, current_parts()
    order = TrainingOrder(len(source), wanted, seed, recipe.repeats, parts)
    if order.batch_size < min(wanted, len(source)):
        log.warning("Batches have %d pictures, not %d: a multiple of %d.", order.batch_size, wanted, parts.multiple)
    mix = BatchMix(
        recipe.mixup, recipe.cutmix, recipe.mixup_each, recipe.cutmix_each, recipe.mix_probability, recipe.cutmix_share
    )
    maker = TrainingBatchMaker(
        source,
        classes,
        order,
        make_augmentation(recipe, size, mean, std),
        mix,
        label_smoothing=recipe.label_smoothing,
        target_threshold=recipe.target_threshold,
    )
    return Feed(maker, loader, workers)


def evaluation_feed(source, classes, preprocessing, size, *, batch_size=32, loader="auto", workers=None):
    """Batches in order for `model.evaluate`, each picture once, as a checkpoint wants its pictures.

    Args:
        source: pictures, such as `open_data(...).held_out`.
        classes: how many.
        preprocessing: `Preprocessing` of the checkpoint (`prediction.inputs.preprocessing_of(model)`).
        size: (height, width) of the model's input.
        batch_size: pictures a batch; more where the devices of the distribution or strategy in whose scope this is
            called do not divide it.
        loader, workers: see `Feed`.

    Returns: `Feed` of (images, labels, weights); the padding of the last batch weighs nothing.
    Raises: ValueError without pictures.
    """
    if not len(source):
        raise ValueError("There are no pictures to evaluate with.")
    parts = current_parts()
    batch_size = round_up(min(batch_size, len(source)), parts.multiple)
    return Feed(EvaluationBatchMaker(source, classes, batch_size, preprocessing, tuple(size), parts), loader, workers)


def make_augmentation(recipe, size=None, mean=IMAGENET_MEAN, std=IMAGENET_STD):
    """What a recipe does to one picture; see `training_feed` for the arguments."""
    size = (recipe.image_size, recipe.image_size) if size is None else tuple(size)
    # What comes in from outside has the mean colour.
    moved = {"resample": recipe.interpolation, "fill": tuple(round(255 * value) for value in mean)}
    crop = RandomResizedCrop(size, tuple(recipe.crop_scale), tuple(recipe.crop_ratio), recipe.interpolation)
    erase = RandomErasing(recipe.erasing, mode=recipe.erasing_mode) if recipe.erasing else None
    return PictureAugmentation(crop, recipe.flip, _change(recipe, moved), erase, mean, std)


def _change(recipe, moved):
    if recipe.auto_augment:
        return AutoAugment(recipe.auto_augment, recipe.rand_augment_std, recipe.rand_augment_limit, **moved)
    if not recipe.rand_augment_layers:
        return None
    return RandAugment(
        recipe.rand_augment_layers,
        recipe.rand_augment_magnitude,
        recipe.rand_augment_std,
        recipe.rand_augment_limit,
        recipe.rand_augment_probability,
        recipe.rand_augment_operations,
        **moved,
    )
