"""The named entry points: find the row, build, load."""

import functools

from keras_coatnet.coatnet.builder import build_model
from keras_coatnet.coatnet.functional import CoAtNetModel
from keras_coatnet.coatnet.fusion import fold_spec, fold_steps
from keras_coatnet.coatnet.sizes import check_input_sides
from keras_coatnet.coatnet.variants import VARIANTS
from keras_coatnet.families.entry import entry_point, family_function
from keras_coatnet.families.inputs import input_shape_of
from keras_coatnet.layers.initializers import without_initial_values


@family_function(CoAtNetModel, build_model, VARIANTS)
def CoAtNet(
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
    """Build a CoAtNet.

    Args:
        spec_or_name: name of a variant (see `list_variants`) or a `CoAtNetSpec`.
        input_shape: (height, width, channels), in the order of Keras' image data format; a side may be None: then maps
            of any size run, and relative-position tables are resized to them in the graph. None is the variant's own
            size.
        input_tensor: tensor to build on instead of a new input.
        include_top: whether the classifier is there. Without it the output is the last map, behind the final norm where
            the variant norms before pooling.
        pooling: None, "avg" or "max" of that map, without a top.
        num_classes: classes; None is the checkpoint's or the variant's own number, 1000 for nearly all.
        classifier_activation: "softmax", None for logits, or any Keras activation.
        pretrained: None for fresh weights; a tag of the manifest (see `list_pretrained`), "imagenet" being the
            variant's best known one with ImageNet-1k classes; or the path of a checkpoint. Of several sizes the nearest
            is taken, and relative-position tables are resized; another `num_classes` keeps a fresh classifier; another
            number of channels adapts the first convolution.
        drop_path_rate: stochastic depth of the last block; None is the published one.
        dropout_rate: in front of the classifier.
        attention_dropout_rate: on attention maps.
        mlp_dropout_rate: on the attention's result and inside perceptrons.
        dtype: dtype policy of all layers; None is Keras' global one. The classifier computes in float32.
        name: of the model; None is the variant's.

    Returns: a `keras.Model` with `spec`, `stage_tensors` and `pyramid_outputs`.
    Raises: ValueError for an unknown variant, a size it cannot take, or any option that cannot be, before it is built.
    Source: arXiv 2106.04803.
    """


def rebuild(model, input_shape):
    """The same architecture and options for another size, with fresh weights.

    Raises: ValueError for a folded model whose positions are constants of its size.
    """
    if model.spec.relative_position == "constant" and tuple(input_shape) != model.input_shape[1:]:
        raise ValueError(
            f"{model.name!r} is fused for images of {model.input_shape[1:]}, its position biases are constants of that "
            f"size; got input_shape={tuple(input_shape)}. Resize the model as it was trained, then fuse it."
        )
    with without_initial_values():
        return build_model(model.spec, input_shape=input_shape, options=model.options, name=model.name)


def fold(model):
    """What is needed to fold a model: its folded twin, with fresh weights, and the steps between their weights.

    Returns: (twin, steps of `weights.folding`).
    """
    shape = input_shape_of(model.spec, model.input_shape[1:], None, check_input_sides)
    sides = shape[:2]
    folded_spec = fold_spec(model.spec, sides, model.count_params())
    with without_initial_values():
        twin = build_model(folded_spec, input_shape=model.input_shape[1:], options=model.options, name=model.name)
    return twin, fold_steps(model.spec, folded_spec, model.options.include_top, sides)


_entry_point = functools.partial(entry_point, CoAtNet, whose="keras_cv_attention_models'")

CoAtNetT = _entry_point("CoAtNetT", "coatnet_t")
CoAtNet0 = _entry_point("CoAtNet0", "coatnet_0")
CoAtNet1 = _entry_point("CoAtNet1", "coatnet_1")
CoAtNet2 = _entry_point("CoAtNet2", "coatnet_2")
CoAtNet3 = _entry_point("CoAtNet3", "coatnet_3")
CoAtNet4 = _entry_point("CoAtNet4", "coatnet_4")
CoAtNet5 = _entry_point("CoAtNet5", "coatnet_5")
CoAtNet6 = _entry_point("CoAtNet6", "coatnet_6")
CoAtNet7 = _entry_point("CoAtNet7", "coatnet_7")
