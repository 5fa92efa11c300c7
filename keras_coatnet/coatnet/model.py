"""The named entry points: find the row, build, load."""

import contextlib
import dataclasses
import difflib
import functools
import inspect

import keras

from keras_coatnet.coatnet.builder import build_model, input_shape_of
from keras_coatnet.coatnet.check import check_options
from keras_coatnet.coatnet.functional import CoAtNetModel, Options
from keras_coatnet.coatnet.fusion import fold_spec, fold_steps
from keras_coatnet.coatnet.names import NAME_TABLES
from keras_coatnet.coatnet.spec import CoAtNetSpec
from keras_coatnet.coatnet.variants import VARIANTS
from keras_coatnet.layers.initializers import without_initial_values
from keras_coatnet.weights.pretrained import fill, open_pretrained


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
    spec = find_spec(spec_or_name)
    options = Options(
        include_top=include_top,
        pooling=pooling,
        num_classes=num_classes,
        classifier_activation=classifier_activation,
        drop_path_rate=drop_path_rate,
        dropout_rate=dropout_rate,
        attention_dropout_rate=attention_dropout_rate,
        mlp_dropout_rate=mlp_dropout_rate,
        dtype=keras.dtype_policies.get(dtype),
    )
    build = functools.partial(build_model, spec, input_tensor=input_tensor, name=name)
    if pretrained is None:
        return build(input_shape=input_shape, options=options)
    sides = input_shape_of(spec, input_shape, input_tensor)[:2]
    check_options(spec, options)
    checkpoint = open_pretrained(
        pretrained, spec, NAME_TABLES, CoAtNetModel.classifier, sides, functools.partial(convertible, spec)
    )
    if num_classes is None:
        options = dataclasses.replace(options, num_classes=checkpoint.num_classes)
    # What the checkpoint fills needs no values of its own; a classifier for other classes does.
    fills_all = not include_top or options.num_classes == checkpoint.num_classes
    with without_initial_values() if fills_all else contextlib.nullcontext():
        model = build(input_shape=input_shape, options=options)
    fill(model, checkpoint, fresh_classifier=not fills_all and num_classes is not None)
    return model


def convertible(spec, input_shape, num_classes):
    """The model that a downloaded checkpoint of a spec is converted through: all of it, in float32."""
    if keras.config.image_data_format() == "channels_first":
        input_shape = (input_shape[2], *input_shape[:2])
    options = Options(num_classes=num_classes, dtype=keras.dtype_policies.get("float32"))
    return build_model(spec, input_shape=input_shape, options=options)


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
    shape = input_shape_of(model.spec, model.input_shape[1:], None)
    sides = shape[:2]
    folded_spec = fold_spec(model.spec, sides, model.count_params())
    with without_initial_values():
        twin = build_model(folded_spec, input_shape=model.input_shape[1:], options=model.options, name=model.name)
    return twin, fold_steps(model.spec, folded_spec, model.options.include_top, sides)


def find_spec(spec_or_name):
    """The row of a variant, or the spec itself.

    Raises: ValueError for an unknown name, with the nearest known ones; TypeError for anything else.
    """
    if isinstance(spec_or_name, CoAtNetSpec):
        return spec_or_name
    if not isinstance(spec_or_name, str):
        raise TypeError(f"A variant is a name or a CoAtNetSpec; got {type(spec_or_name).__name__}.")
    if spec_or_name not in VARIANTS:
        nearest = difflib.get_close_matches(spec_or_name.lower(), VARIANTS, n=3, cutoff=0.5)
        hint = f"Nearest: {', '.join(nearest)}." if nearest else "list_variants() names all."
        raise ValueError(f"Unknown CoAtNet variant {spec_or_name!r}. {hint}")
    return VARIANTS[spec_or_name]


def _entry_point(name, variant):
    """`CoAtNet` with its first argument given."""

    def build(**keywords):
        return CoAtNet(variant, **keywords)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"""Build {variant}, keras_cv_attention_models' {name}.

    Args: the keywords of `CoAtNet`.
    """
    signature = inspect.signature(CoAtNet)
    build.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])
    return build


CoAtNetT = _entry_point("CoAtNetT", "coatnet_t")
CoAtNet0 = _entry_point("CoAtNet0", "coatnet_0")
CoAtNet1 = _entry_point("CoAtNet1", "coatnet_1")
CoAtNet2 = _entry_point("CoAtNet2", "coatnet_2")
CoAtNet3 = _entry_point("CoAtNet3", "coatnet_3")
CoAtNet4 = _entry_point("CoAtNet4", "coatnet_4")
CoAtNet5 = _entry_point("CoAtNet5", "coatnet_5")
CoAtNet6 = _entry_point("CoAtNet6", "coatnet_6")
CoAtNet7 = _entry_point("CoAtNet7", "coatnet_7")
