"""Parameters and multiply-adds of a CoAtNet from its spec, nothing built: arithmetic on the same plan that is built."""

from keras_coatnet.coatnet.plan import plan_blocks, plan_head_norm, plan_stem
from keras_coatnet.coatnet.sizes import block_size, check_input_sides, stem_sizes
from keras_coatnet.coatnet.spec import stem_kernel_sizes, stem_widths
from keras_coatnet.families.cost import Cost, add, area, dense, norm, sides_and_channels, total


def count_coatnet(spec, input_shape=None):
    """Count a model with a top of `spec.num_classes` classes; without a top where that is 0.

    Multiply-adds are those of convolutions, dense layers and both attention products. The network over log offsets
    counts too: it runs once a call, whatever the batch. Norms, activations, biases, pools, softmax and the spreading of
    tables count nothing.

    Args:
        spec: `CoAtNetSpec`.
        input_shape: (H, W, C) in this order whatever Keras' image data format is, or (H, W) for 3 channels; None is the
            spec's own size.

    Returns: `Count`.
    Raises: ValueError for open sides, a size the spec cannot take, or a spec that cannot be built.
    """
    return total(part_costs(spec, input_shape).values())


def part_costs(spec, input_shape=None):
    """{"stem", each block's name, "head": `Cost`} of what `count_coatnet` counts."""
    height, width, channels = sides_and_channels(spec, input_shape, check_input_sides)
    costs = {"stem": count_stem(spec, (height, width), channels)}
    sides = stem_sizes(spec, (height, width))[-1]
    for block in plan_blocks(spec):
        sides, before = block_size(spec, block, sides), sides
        costs[block.name] = BLOCKS[block.kind](spec, block, before, sides)
    return {**costs, "head": count_head(spec)}


def count_stem(spec, sides, channels):
    costs = []
    norms, biases = plan_stem(spec)
    behind = (*norms, None)  # nothing behind the last convolution
    convolutions = zip(stem_widths(spec), stem_kernel_sizes(spec), stem_sizes(spec, sides), biases, behind, strict=True)
    for width, kernel_size, grid, bias, kind in convolutions:
        costs += [dense(kernel_size**2 * channels, width, bias, area(grid)), norm(kind, width)]
        channels = width
    return add(*costs)


def count_mbconv(spec, block, before, after):
    """`before` and `after`: (H, W) of the maps that enter and leave the block."""
    hidden = block.expanded_width
    prenorm, expansion_norm, depthwise_norm = block.norms
    depthwise_weights = spec.kernel_size**2 * hidden
    costs = [
        norm(prenorm, block.input_width),
        dense(
            block.input_width,
            hidden,
            "expansion" in block.biases,
            area(before if spec.stride_in == "depthwise" else after),
        ),
        norm(expansion_norm, hidden),
        Cost(depthwise_weights + ("depthwise" in block.biases) * hidden, macs=area(after) * depthwise_weights),
        norm(depthwise_norm, hidden),
        dense(hidden, block.width, "projection" in block.biases, area(after)),
        count_shortcut(block, after),
    ]
    if block.squeeze_width:
        costs += [dense(hidden, block.squeeze_width, True), dense(block.squeeze_width, hidden, True)]
        costs += [norm("affine", hidden)] if block.squeeze_affine else []
    return add(*costs)


def count_convnext(spec, block, before, after):
    depthwise_weights = spec.kernel_size**2 * block.width
    return add(
        Cost(depthwise_weights + block.width, macs=area(after) * depthwise_weights),
        norm(block.norms[0], block.width),
        dense(block.width, block.expanded_width, True, area(after)),
        dense(block.expanded_width, block.width, True, area(after)),
        count_scale(spec.convolution_layer_scale, block.width),
        count_shortcut(block, after),
    )


def count_transformer(spec, block, before, after):
    attention_width = block.num_heads * block.head_dim
    attention_norm, mlp_norm = block.norms
    tokens = area(after)
    return add(
        norm(attention_norm, block.input_width),
        dense(block.input_width, 3 * attention_width, "attention/qkv" in block.biases, tokens),
        Cost(macs=2 * tokens**2 * attention_width),
        count_position(spec, block, after),
        dense(attention_width, block.width, "attention/projection" in block.biases, tokens),
        count_scale(spec.transformer_layer_scale, block.width),
        count_shortcut(block, after),
        norm(mlp_norm, block.width),
        dense(block.width, block.expanded_width, "mlp_expansion" in block.biases, tokens),
        dense(block.expanded_width, block.width, "mlp_projection" in block.biases, tokens),
        count_scale(spec.transformer_layer_scale, block.width),
    )


def count_position(spec, block, grid):
    """What attention knows of positions: a value an offset and head, or the network that makes them."""
    offsets = (2 * grid[0] - 1) * (2 * grid[1] - 1)
    if spec.relative_position == "table":
        return Cost(trainable=offsets * block.num_heads)
    if spec.relative_position == "constant":
        return Cost(statistics=area(grid) ** 2 * block.num_heads)
    if spec.relative_position == "mlp":
        hidden = spec.position_hidden_width
        return add(dense(2, hidden, True, offsets), dense(hidden, block.num_heads, True, offsets))
    return Cost()


def count_shortcut(block, after):
    """The shortcut's projection reads the pooled map."""
    if not block.projects_shortcut:
        return Cost()
    return dense(block.input_width, block.width, "shortcut" in block.biases, area(after))


def count_scale(initial_value, width):
    return Cost() if initial_value is None else Cost(trainable=width)


def count_head(spec):
    width = spec.widths[-1]
    costs = [norm(plan_head_norm(spec, include_top=spec.num_classes > 0), width)]
    if not spec.num_classes:
        return add(*costs)
    if spec.hidden_head:
        hidden = width if spec.hidden_head is True else spec.hidden_head
        costs.append(dense(width, hidden, True))
        width = hidden
    return add(*costs, dense(width, spec.num_classes, True))


BLOCKS = {"mbconv": count_mbconv, "convnext": count_convnext, "transformer": count_transformer}
