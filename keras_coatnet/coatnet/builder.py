"""From a spec to a Keras model, layer by layer; pure Keras, no file, no download."""

from keras_coatnet.coatnet.check import POOLINGS
from keras_coatnet.coatnet.functional import CoAtNetModel
from keras_coatnet.coatnet.initialization import RULES
from keras_coatnet.coatnet.plan import plan_blocks, plan_head_norm, plan_stem
from keras_coatnet.coatnet.sizes import check_input_sides, map_sizes
from keras_coatnet.coatnet.spec import stem_kernel_sizes, stem_widths
from keras_coatnet.families.check import check_options
from keras_coatnet.families.head import classify, dense, pool_map
from keras_coatnet.families.inputs import from_user_format, input_shape_of, make_input, source_of, to_user_format
from keras_coatnet.families.options import Options
from keras_coatnet.layers import ConvNeXtBlock, MBConv, Stem, TransformerBlock
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
    check_options(spec, options, POOLINGS)
    shape = input_shape_of(spec, input_shape, input_tensor, check_input_sides)
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
    return CoAtNetModel(source_of(inputs, input_tensor), outputs, name=name or spec.name, spec=spec, options=options)


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
    x = pool_map(x, pooling, policy)
    if not options.include_top:
        return x
    if spec.head_norm == "after_pool":
        x = add_head_norm(spec, options, x)
    if spec.hidden_head:
        width = spec.widths[-1] if spec.hidden_head is True else spec.hidden_head
        x = dense(width, spec.hidden_head_activation, rules["classifier"], "pre_logits", policy)(x)
    return classify(x, spec, options, rules["classifier"])


def add_head_norm(spec, options, x):
    norm = normalization(
        plan_head_norm(spec, options.include_top),
        epsilon=spec.transformer_norm_epsilon,
        momentum=spec.norm_momentum,
        name="head_norm",
        dtype=options.dtype,
    )
    return x if norm is None else norm(x)
