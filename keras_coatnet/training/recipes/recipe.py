"""What a recipe is: every number of a training run in one frozen row, checked when it is made."""

import ast
import dataclasses
import difflib
import re
from dataclasses import dataclass

from keras_coatnet.images.preprocess import CENTER, IMAGENET_MEAN, IMAGENET_STD, SQUASH, Preprocessing
from keras_coatnet.training.optimization.compilation import compile_args
from keras_coatnet.training.recipes.check import check_field


@dataclass(frozen=True)
class Recipe:
    """How a model is trained. Fields are overridden one at a time: `recipe.replace(epochs=10)`.

    Args:
        name: what the recipe is called.
        source: where its numbers are from.
        result: what is known to come out.
        published: what the published command or text really did, where that is not what it says.
        epochs, batch_size, image_size: of the run; `batch_size` is that of one update, over all its parts.
        growing: ((epochs, side), ...) of smaller pictures that come first, before `image_size`; () is none.
        accumulation: parts of a batch that are computed one after another.
        dtype: dtype policy to build the model with.
        drop_path_rate, dropout_rate: to build the model with; `drop_path_rate=None` is the variant's own.
        frozen_stages: how many parts do not learn, from the first on: the stem, where there is one, and stages.
        rematerialize: whether attention and feed-forward parts without dropout are computed again for their gradients,
            which takes time and saves memory.
        optimizer: "adamw", "lamb", "sgd" or "muon"; with `learning_rate` at its peak, `weight_decay` (on kernels only),
            `momentum` (beta 1), `beta_2`, `epsilon`, `clip_norm` (largest norm of all gradients, None: no clipping),
            `ema_decay` (of the averaged weights, None: none), `layer_decay` (factor of the learning rate for each layer
            further from the head).
        schedule: "cosine", "linear" or "constant", down to `minimum_learning_rate`, after a linear rise from
            `warmup_learning_rate` of `warmup_epochs` or `warmup_steps`, and before `cooldown_epochs` at the minimum.
        decay_from: "warmup" or "start", see `schedule.WarmUpAndDecay`; `rate_each` is "step" or "epoch".
        loss: "softmax"; "sigmoid", for outputs of their own each; or "binary_on_softmax", as
            keras_cv_attention_models. `label_smoothing` is done to the labels; `target_threshold` makes them 0 or 1.
        crop_scale, crop_ratio, interpolation: of the random resized crop. `flip`: probability.
        rand_augment_layers: 0 is no RandAugment; with `rand_augment_magnitude`, `_std`, `_limit`, `_probability` and
            `_operations`, see `augment.rand_augment.RandAugment`.
        auto_augment: policy of AutoAugment instead, "original" or "v0"; None is none.
        erasing: probability of random erasing; `erasing_mode` is "constant", "colour" or "pixel".
        mixup, cutmix: alphas; `mixup_each`, `cutmix_each` are "image" or "batch"; `mix_probability` that a batch is
            mixed, `cutmix_share` of CutMix among those.
        teacher_share, teacher_temperature: of distillation, where there is a teacher, see `distillation.Distiller`.
        repeats: repeated augmentation, how often an epoch takes each of its pictures.
        evaluation_crop: share of the sides, of the centre; None squashes the whole picture.
        per_model: (size in a variant's name, ((field, value), ...)) rows, for `for_model`; "2" is any "..._2_..." name.

    Raises: ValueError for a value that cannot be.
    """

    name: str
    source: str
    result: str
    published: str = ""
    epochs: int = 300
    batch_size: int = 1024
    image_size: int = 224
    growing: tuple = ()
    accumulation: int = 1
    dtype: str = "float32"
    drop_path_rate: float | None = None
    dropout_rate: float = 0.0
    frozen_stages: int = 0
    rematerialize: bool = False
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    momentum: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    clip_norm: float | None = None
    ema_decay: float | None = None
    layer_decay: float = 1.0
    schedule: str = "cosine"
    minimum_learning_rate: float = 0.0
    warmup_epochs: float = 0.0
    warmup_steps: int = 0
    warmup_learning_rate: float = 0.0
    cooldown_epochs: int = 0
    decay_from: str = "warmup"
    rate_each: str = "step"
    loss: str = "softmax"
    label_smoothing: float = 0.0
    target_threshold: float | None = None
    crop_scale: tuple = (0.08, 1.0)
    crop_ratio: tuple = (3 / 4, 4 / 3)
    interpolation: str = "bicubic"
    flip: float = 0.5
    rand_augment_layers: int = 0
    rand_augment_magnitude: float = 9.0
    rand_augment_std: float = 0.0
    rand_augment_limit: float | None = 10.0
    rand_augment_probability: float = 0.5
    rand_augment_operations: str = "increasing"
    auto_augment: str | None = None
    erasing: float = 0.0
    erasing_mode: str = "pixel"
    mixup: float = 0.0
    cutmix: float = 0.0
    mixup_each: str = "image"
    cutmix_each: str = "batch"
    mix_probability: float = 1.0
    cutmix_share: float = 0.5
    teacher_share: float = 0.5
    teacher_temperature: float = 2.0
    repeats: int = 1
    evaluation_crop: float | None = 0.95
    per_model: tuple = ()

    def __post_init__(self):
        for name, value in vars(self).items():
            check_field(name, value)
        if self.warmup_epochs and self.warmup_steps:
            raise ValueError("A recipe has warmup_epochs or warmup_steps, not both; set one of them to 0.")
        if self.auto_augment and self.rand_augment_layers:
            raise ValueError("A recipe has auto_augment or RandAugment, not both; set rand_augment_layers to 0.")
        if sum(epochs for epochs, _ in self.growing) >= self.epochs:
            raise ValueError(f"growing must leave epochs for image_size; got {self.growing} of {self.epochs} epochs.")
        if self.batch_size % self.accumulation:
            raise ValueError(
                f"batch_size must be a multiple of accumulation; got {self.batch_size} and {self.accumulation}."
            )

    def replace(self, **fields):
        """The recipe with other values.

        Raises: ValueError for an unknown field, with the nearest one, or an impossible value.
        """
        known = [each.name for each in dataclasses.fields(self)]
        for name in fields:
            if name not in known:
                nearest = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
                hint = f" Nearest: {', '.join(nearest)}." if nearest else ""
                raise ValueError(f"A recipe has no field {name!r}.{hint}")
        return dataclasses.replace(self, **fields)

    def override(self, *assignments):
        """The recipe with values as they stand on a command line, such as "epochs=10" or "clip_norm=none".

        Raises: ValueError, as `replace`.
        """
        fields = {}
        for text in assignments:
            name, equals, value = text.partition("=")
            if not equals:
                raise ValueError(f"must be FIELD=VALUE; got {text!r}")
            fields[name.strip()] = parse_value(value.strip())
        return self.replace(**fields)

    def for_model(self, name):
        """The recipe with the values that its source gives for one variant; itself where it gives none."""
        fields = {}
        for size, values in self.per_model:
            if re.search(rf"_{size}(_|$)", name):
                fields.update(dict(values))
        return self.replace(**fields) if fields else self

    def smoke(self):
        """The recipe in small: a few steps of a few small pictures, everything else as it is."""
        return self.replace(
            name=f"{self.name} (smoke)",
            result="none: a few steps that show that all parts run",
            epochs=2,
            batch_size=4 * self.accumulation,
            image_size=64,
            growing=((1, 32),) if self.growing else (),
            warmup_epochs=0.0,
            warmup_steps=0,
            cooldown_epochs=0,
        )

    @property
    def sides(self):
        """{first epoch: side of the pictures from there on}"""
        sides, start = {}, 0
        for epochs, side in self.growing:
            sides[start], start = side, start + epochs
        return sides | {start: self.image_size}

    def preprocessing(self, mean=IMAGENET_MEAN, std=IMAGENET_STD):
        """The `Preprocessing` of evaluation, for a model that brings none of its own."""
        crop_mode = SQUASH if self.evaluation_crop is None else CENTER
        return Preprocessing(
            mean, std, crop=self.evaluation_crop or 1.0, crop_mode=crop_mode, interpolation=self.interpolation
        )

    def compile_args(self, model, steps_per_epoch, epochs=None):
        """What `model.compile` takes: `model.compile(**recipe.compile_args(model, feed.steps))`.

        Args:
            model: built `keras.Model`; `frozen_stages` and `rematerialize` of the recipe change it in place.
            steps_per_epoch: batches an epoch, each of `batch_size / accumulation` pictures.
            epochs: of the run; None is the recipe's.

        Returns: dictionary with optimizer, loss, weighted_metrics and jit_compile.
        Raises:
            ValueError: the run is shorter than warm-up and cool-down, or the loss does not suit the model's outputs.
        """
        return compile_args(self, model, steps_per_epoch, epochs or self.epochs)


def parse_value(text):
    """A Python literal, or the text itself; "none" is None."""
    if text.lower() == "none":
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
