"""From a spec to a Keras model, layer by layer; pure Keras, no file, no download."""

import numbers

import keras

from keras_coatnet.coatnet.check import check_options
from keras_coatnet.coatnet.functional import CoAtNetModel, Options
from keras_coatnet.coatnet.initialization import RULES
from keras_coatnet.coatnet.plan import plan_blocks, plan_head_norm, plan_stem
from keras_coatnet.coatnet.sizes import check_input_sides, map_sizes
from keras_coatnet.coatnet.spec import stem_kernel_sizes, stem_widths
from keras_coatnet.layers import ConvNeXtBlock, MBConv, Stem, TransformerBlock
from keras_coatnet.layers.composite import at_least_float32
from keras_coatnet.layers.initializers import Constant, get_initializer
from keras_coatnet.layers.normalization import normalization


def build_model(spec, *, input_shape=None, input_tensor=None, options=None, name=None):
    """Build a CoAtNet.

    Args:
        spec: `CoAtNetSpec`.
        input_shape: (H, W, C), sides None where any size shall do; None is the spec's own size and 3 channels.
        input_tensor: tensor to build on instead of a new input.
        options: `Options`.
        name: of the model; None is the spec's.

    Returns: `CoAtNetModel`.
    Raises: ValueError for what the spec or the options say that cannot be, before anything is built.
    """
    options = options or Options()
    check_options(spec, options)
    shape = input_shape_of(spec, input_shape, input_tensor)
    check_constant_positions(spec, shape)
    blocks = plan_blocks(spec)
    policy = options.dtype
    inputs = make_input(shape, input_tensor)
    x = from_user_format(inputs, policy)
    rules = RULES[spec.initialization]
    x = make_stem(spec, rules, policy)(x)
    # Where the size is open, tables start out made for the spec's own.
    grids = map_sizes(spec, (spec.input_size, spec.input_size)) if None in shape[:2] else {}
    for block in blocks:
        x = make_block(spec, block, options, rules, grids.get(block.name))(x)
    outputs = add_head(spec, options, rules, x)
    source = keras.utils.get_source_inputs(input_tensor) if is_symbolic(input_tensor) else inputs
    return CoAtNetModel(source, outputs, name=name or spec.name, spec=spec, options=options)


def check_constant_positions(spec, shape):
    """A bias spread over pairs of pixels is of one size."""
    if spec.relative_position == "constant" and None in shape[:2]:
        raise ValueError(
            f'{spec.name} has relative_position="constant", which holds for images of one size; got '
            f'input_shape={shape}. Give both sides, or take relative_position="table".'
        )


def make_stem(spec, rules, policy):
    norms, biases = plan_stem(spec)
    return Stem(
        stem_widths(spec),
        strides=spec.stem_strides,
        kernel_sizes=stem_kernel_sizes(spec),
        padding=spec.padding,
        activation=spec.activation,
        activation_first=spec.activation_first,
        use_bias=biases,
        norm=norms,
        norm_epsilon=spec.convolution_norm_epsilon,
        norm_momentum=spec.norm_momentum,
        kernel_initializer=rules["stem"],
        name="stem",
        dtype=policy,
    )


def make_block(spec, block, options, rules, table_grid):
    """The layer of a block; `table_grid` is given where the map's size is open."""
    rate = spec.drop_path_rate if options.drop_path_rate is None else options.drop_path_rate
    shared = {"drop_path_rate": rate * block.drop_path_share, "name": block.name, "dtype": options.dtype}
    if block.kind == "transformer":
        return make_transformer(spec, block, options, rules, table_grid, shared)
    if block.kind == "convnext":
        return make_convnext(spec, block, rules, shared)
    return make_mbconv(spec, block, rules, shared)


def make_mbconv(spec, block, rules, shared):
    return MBConv(
        block.width,
        block.expanded_width,
        squeeze_width=block.squeeze_width,
        strides=block.strides,
        stride_in=spec.stride_in,
        kernel_size=spec.kernel_size,
        padding=spec.padding,
        activation=spec.activation,
        activation_first=spec.activation_first,
        prenorm_activation=spec.activation if spec.convolution_prenorm_activation else None,
        norm=block.norms,
        norm_epsilon=spec.convolution_norm_epsilon,
        norm_momentum=spec.norm_momentum,
        expansion_bias="expansion" in block.biases,
        depthwise_bias="depthwise" in block.biases,
        squeeze_affine=block.squeeze_affine,
        squeeze_activation=spec.se_activation,
        squeeze_place=spec.se_place,
        shortcut_pool=spec.convolution_pool,
        branch_pool=spec.branch_pool,
        project_shortcut=block.projects_shortcut,
        prenorm_shortcut=spec.prenorm_shortcut,
        shortcut_bias="shortcut" in block.biases,
        projection_bias="projection" in block.biases,
        kernel_initializer=rules["convolution"],
        squeeze_initializer=rules["squeeze"],
        **shared,
    )


def make_convnext(spec, block, rules, shared):
    return ConvNeXtBlock(
        block.width,
        strides=block.strides,
        expansion=block.expansion,
        kernel_size=spec.kernel_size,
        padding=spec.padding,
        activation=spec.activation,
        norm=block.norms,
        norm_epsilon=spec.convolution_norm_epsilon,
        norm_momentum=spec.norm_momentum,
        shortcut_pool=spec.convolution_pool,
        shortcut_bias="shortcut" in block.biases,
        layer_scale=spec.convolution_layer_scale,
        kernel_initializer=rules["convolution"],
        **shared,
    )


def make_transformer(spec, block, options, rules, table_grid, shared):
    return TransformerBlock(
        block.width,
        block.num_heads,
        head_dim=block.head_dim,
        strides=block.strides,
        expansion=block.expansion,
        activation=spec.mlp_activation,
        norm=block.norms,
        norm_epsilon=spec.transformer_norm_epsilon,
        norm_momentum=spec.norm_momentum,
        prenorm_activation=spec.activation if spec.transformer_prenorm_activation else None,
        pool=spec.transformer_pool,
        project_shortcut=block.projects_shortcut,
        prenorm_shortcut=spec.prenorm_shortcut,
        shortcut_bias="shortcut" in block.biases,
        qkv_bias="attention/qkv" in block.biases,
        output_bias="attention/projection" in block.biases,
        mlp_bias=("mlp_expansion" in block.biases, "mlp_projection" in block.biases),
        scale_queries=not spec.folded,
        relative_position=spec.relative_position,
        bias_place=spec.bias_place,
        table_grid=table_grid,
        table_resize=spec.table_resize,
        position_hidden_width=spec.position_hidden_width,
        position_dropout_rate=spec.position_dropout_rate,
        layer_scale=spec.transformer_layer_scale,
        attention_dropout_rate=options.attention_dropout_rate,
        dropout_rate=options.mlp_dropout_rate,
        kernel_initializer=rules["linear"],
        output_initializer=rules["output"],
        table_initializer=rules["table"],
        **shared,
    )


def add_head(spec, options, rules, x):
    """Everything behind the last stage's map that the options ask for."""
    policy = options.dtype
    pooling = "avg" if options.include_top else options.pooling
    if spec.head_norm == "before_pool":
        x = add_head_norm(spec, options, x)
    if pooling is None:
        return to_user_format(x, policy)
    kind = {"avg": keras.layers.GlobalAveragePooling2D, "max": keras.layers.GlobalMaxPooling2D}[pooling]
    x = kind(data_format="channels_last", name=f"{pooling}_pool", dtype=policy)(x)
    if not options.include_top:
        return x
    if spec.head_norm == "after_pool":
        x = add_head_norm(spec, options, x)
    if spec.hidden_head:
        width = spec.widths[-1] if spec.hidden_head is True else spec.hidden_head
        x = dense(width, spec.hidden_head_activation, rules, "pre_logits", policy)(x)
    x = keras.layers.Dropout(options.dropout_rate, name="head_dropout", dtype=policy)(x)
    precise = at_least_float32(keras.dtype_policies.get(policy).compute_dtype)
    classes = spec.num_classes if options.num_classes is None else options.num_classes
    return dense(classes, options.classifier_activation, rules, "predictions", precise)(x)


def add_head_norm(spec, options, x):
    norm = normalization(
        plan_head_norm(spec, options.include_top),
        epsilon=spec.transformer_norm_epsilon,
        momentum=spec.norm_momentum,
        name="head_norm",
        dtype=options.dtype,
    )
    return x if norm is None else norm(x)


def dense(width, activation, rules, name, dtype):
    return keras.layers.Dense(
        width,
        activation=activation,
        kernel_initializer=get_initializer(rules["classifier"]),
        bias_initializer=Constant(0.0),
        name=name,
        dtype=dtype,
    )


def from_user_format(x, policy):
    """A map as all our layers take it, channels last."""
    if keras.config.image_data_format() == "channels_last":
        return x
    return keras.layers.Permute((2, 3, 1), name="channels_last", dtype=policy)(x)


def to_user_format(x, policy):
    """A map that leaves the model, in Keras' image data format."""
    if keras.config.image_data_format() == "channels_last":
        return x
    return keras.layers.Permute((3, 1, 2), name="channels_first", dtype=policy)(x)


def is_symbolic(tensor):
    return isinstance(tensor, keras.KerasTensor)


def make_input(shape, input_tensor):
    """The tensor the model starts from, in the user's data format."""
    if is_symbolic(input_tensor):
        return input_tensor
    if keras.config.image_data_format() == "channels_first":
        shape = (shape[2], *shape[:2])
    return keras.Input(shape=shape, name="images")


def input_shape_of(spec, input_shape, input_tensor):
    """(H, W, C) to build for, checked; channels first is turned around."""
    argument = "input_shape" if input_tensor is None else "input_tensor, behind its batch,"
    channels_first = keras.config.image_data_format() == "channels_first"
    if input_tensor is not None:
        found = tuple(input_tensor.shape)[1:]
        if input_shape is not None and tuple(input_shape) != found:
            raise ValueError(f"input_shape must be that of input_tensor, {found}; got {tuple(input_shape)}.")
        shape = found
    elif input_shape is None:
        sides = (spec.input_size, spec.input_size)
        shape = (3, *sides) if channels_first else (*sides, 3)
    else:
        shape = tuple(input_shape)
    if len(shape) != 3:
        layout = "(channels, height, width)" if channels_first else "(height, width, channels)"
        raise ValueError(f"{argument} must have three entries, {layout}, and no batch; got {shape}.")
    *sides, channels = (*shape[1:], shape[0]) if channels_first else shape
    if not isinstance(channels, numbers.Integral) or channels < 1:
        raise ValueError(f"{argument} must say the number of channels, at least 1; got {shape}.")
    check_input_sides(spec, sides)
    return (*sides, channels)
