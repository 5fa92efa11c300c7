"""The named entry points: find the row, build, load."""

import functools

from keras_coatnet.coat.builder import build_model
from keras_coatnet.coat.functional import CoaTModel
from keras_coatnet.coat.norm_folds import fold_steps, head_steps
from keras_coatnet.coat.variants import VARIANTS
from keras_coatnet.families.entry import entry_point, family_function
from keras_coatnet.layers.initializers import without_initial_values


@family_function(CoaTModel, build_model, VARIANTS)
def CoaT(
    spec_or_name,
    *,
    input_shape=None,
    input_tensor=None,
    include_top=True,
    pooling=None,
    num_classes=None,
    classifier_activation="softmax",
    pretrained=None,
    drop_path_rate=None,
    dropout_rate=0.0,
    attention_dropout_rate=0.0,
    mlp_dropout_rate=0.0,
    dtype=None,
    name=None,
):
    """Build a CoaT.

    Args:
        spec_or_name: name of a variant (see `list_variants`) or a `CoaTSpec`.
        input_shape: (height, width, channels), in the order of Keras' image data format; a side may be None, since no
            weight depends on the size. Pixels that do not fill a patch are dropped. None is the variant's own size.
        input_tensor: tensor to build on instead of a new input.
        include_top: whether the classifier is there. Without it the output is the last map behind its norm.
        pooling: None, "avg" or "max" of that map, or "token", the vector that the classifier reads; without a top.
        num_classes: classes; None is the checkpoint's or the variant's own number.
        classifier_activation: "softmax", None for logits, or any Keras activation.
        pretrained: None for fresh weights; a tag of the manifest (see `list_pretrained`), "imagenet" being timm's file
            and "official" the authors'; or the path of a checkpoint. Of several sizes the nearest is taken; another
            `num_classes` keeps a fresh classifier; another number of channels adapts the first convolution.
        drop_path_rate: stochastic depth, the same for every block; None is the published one.
        dropout_rate: in front of the classifier.
        attention_dropout_rate: on the softmaxed keys, the nearest to an attention map that there is.
        mlp_dropout_rate: on the attention's result and inside perceptrons.
        dtype: dtype policy of all layers; None is Keras' global one. The classifier computes in float32.
        name: of the model; None is the variant's.

    Returns: a `keras.Model` with `spec`, `stage_tensors` and `pyramid_outputs`.
    Raises: ValueError for an unknown variant, a size it cannot take, or any option that cannot be, before it is built.
    Source: arXiv 2104.06399.
    """


def rebuild(model, input_shape):
    """The same architecture and options for another size, with fresh weights."""
    with without_initial_values():
        return build_model(model.spec, input_shape=input_shape, options=model.options, name=model.name)


def fold(model):
    """What is needed to fold a model: its folded twin, with fresh weights, and the steps between their weights.

    Returns: (twin, steps of `weights.folding`).
    """
    with without_initial_values():
        twin = build_model(
            model.spec.fused(), input_shape=model.input_shape[1:], options=model.options, name=model.name
        )
    return twin, [*fold_steps(model.spec), *head_steps(model.spec, model.options)]


_entry_point = functools.partial(entry_point, CoaT, whose="the authors'")

CoaTTiny = _entry_point("CoaTTiny", "coat_tiny")
CoaTMini = _entry_point("CoaTMini", "coat_mini")
CoaTSmall = _entry_point("CoaTSmall", "coat_small")
CoaTLiteTiny = _entry_point("CoaTLiteTiny", "coat_lite_tiny")
CoaTLiteMini = _entry_point("CoaTLiteMini", "coat_lite_mini")
CoaTLiteSmall = _entry_point("CoaTLiteSmall", "coat_lite_small")
CoaTLiteMedium = _entry_point("CoaTLiteMedium", "coat_lite_medium")
