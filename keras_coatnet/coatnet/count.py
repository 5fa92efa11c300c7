"""Parameters and multiply-adds of a CoAtNet from its spec, nothing built: arithmetic on the same plan that is built."""

import numbers
from typing import NamedTuple

from keras_coatnet.coatnet.plan import plan_blocks
from keras_coatnet.coatnet.sizes import block_size, check_input_sides, stem_sizes
from keras_coatnet.coatnet.spec import stem_kernel_sizes, stem_widths


class Count(NamedTuple):
    """Trainable weights; these and the batch norms' statistics; multiply-adds for one image."""

    trainable: int
    parameters: int
    macs: int


class Cost(NamedTuple):
    """What one part of a model costs: trainable weights, moving statistics, multiply-adds."""

    trainable: int = 0
    statistics: int = 0
    macs: int = 0


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
    height, width, channels = sides_and_channels(spec, input_shape)
    costs = [count_stem(spec, (height, width), channels)]
    sides = stem_sizes(spec, (height, width))[-1]
    for block in plan_blocks(spec):
        sides, before = block_size(spec, block, sides), sides
        costs.append(BLOCKS[block.kind](spec, block, before, sides))
    total = add(*costs, count_head(spec))
    return Count(total.trainable, total.trainable + total.statistics, total.macs)


def sides_and_channels(spec, input_shape):
    """(H, W, C) as numbers, checked."""
    shape = (spec.input_size, spec.input_size) if input_shape is None else tuple(input_shape)
    if len(shape) not in (2, 3):
        raise ValueError(f"input_shape has the entries (H, W, C) or (H, W); got {shape}.")
    if not all(isinstance(entry, numbers.Integral) and entry > 0 for entry in shape):
        raise ValueError(f"To count, every entry of input_shape has to be a whole number above 0; got {shape}.")
    check_input_sides(spec, shape[:2])
    return (*shape, 3)[:3]


def add(*costs):
    """The sum of some costs."""
    return Cost(*(sum(column) for column in zip(*costs, strict=True)))


def dense(inputs, outputs, bias, positions=1):
    """A linear map applied at `positions` places: Dense layers and 1x1 convolutions."""
    return Cost(trainable=inputs * outputs + bias * outputs, macs=positions * inputs * outputs)


def norm(kind, channels):
    """Scale and offset; batch norms also keep a mean and a variance."""
    return Cost(trainable=2 * channels, statistics=2 * channels if kind == "batch" else 0)


def area(sides):
    return sides[0] * sides[1]


def count_stem(spec, sides, channels):
    costs = []
    widths = stem_widths(spec)
    for number, (width, kernel_size, grid) in enumerate(
        zip(widths, stem_kernel_sizes(spec), stem_sizes(spec, sides), strict=True), start=1
    ):
        costs.append(dense(kernel_size**2 * channels, width, spec.activation_first, area(grid)))
        if number < len(widths):
            costs.append(norm(spec.convolution_norm, width))
        channels = width
    return add(*costs)


def count_mbconv(spec, block, before, after):
    """`before` and `after`: (H, W) of the maps that enter and leave the block."""
    hidden = block.expanded_width
    biased = spec.activation_first
    depthwise_weights = spec.kernel_size**2 * hidden
    costs = [
        norm(spec.convolution_norm, block.input_width),
        dense(block.input_width, hidden, biased, area(before if spec.stride_in == "depthwise" else after)),
        norm(spec.convolution_norm, hidden),
        Cost(depthwise_weights + biased * hidden, macs=area(after) * depthwise_weights),
        norm(spec.convolution_norm, hidden),
        dense(hidden, block.width, spec.convolution_projection_bias, area(after)),
        count_shortcut(block, spec.convolution_shortcut_bias, after),
    ]
    if block.squeeze_width:
        costs += [dense(hidden, block.squeeze_width, True), dense(block.squeeze_width, hidden, True)]
    return add(*costs)


def count_convnext(spec, block, before, after):
    depthwise_weights = spec.kernel_size**2 * block.width
    return add(
        Cost(depthwise_weights + block.width, macs=area(after) * depthwise_weights),
        norm(spec.convolution_norm, block.width),
        dense(block.width, block.expanded_width, True, area(after)),
        dense(block.expanded_width, block.width, True, area(after)),
        count_scale(spec.convolution_layer_scale, block.width),
        count_shortcut(block, spec.convolution_shortcut_bias, after),
    )


def count_transformer(spec, block, before, after):
    attention_width = block.num_heads * block.head_dim
    tokens = area(after)
    return add(
        norm(spec.transformer_norm, block.input_width),
        dense(block.input_width, 3 * attention_width, spec.qkv_bias, tokens),
        Cost(macs=2 * tokens**2 * attention_width),
        count_position(spec, block, after),
        dense(attention_width, block.width, spec.attention_output_bias, tokens),
        count_scale(spec.transformer_layer_scale, block.width),
        count_shortcut(block, spec.transformer_shortcut_bias, after),
        norm(spec.transformer_norm, block.width),
        dense(block.width, block.expanded_width, spec.mlp_bias, tokens),
        dense(block.expanded_width, block.width, spec.mlp_bias, tokens),
        count_scale(spec.transformer_layer_scale, block.width),
    )


def count_position(spec, block, grid):
    """What attention knows of positions: a value an offset and head, or the network that makes them."""
    offsets = (2 * grid[0] - 1) * (2 * grid[1] - 1)
    if spec.relative_position == "table":
        return Cost(trainable=offsets * block.num_heads)
    if spec.relative_position == "mlp":
        hidden = spec.position_hidden_width
        return add(dense(2, hidden, True, offsets), dense(hidden, block.num_heads, True, offsets))
    return Cost()


def count_shortcut(block, bias, after):
    """The shortcut's projection reads the pooled map."""
    return dense(block.input_width, block.width, bias, area(after)) if block.projects_shortcut else Cost()


def count_scale(initial_value, width):
    return Cost() if initial_value is None else Cost(trainable=width)


def count_head(spec):
    width = spec.widths[-1]
    if not spec.num_classes:
        return norm(spec.transformer_norm, width) if spec.head_norm == "before_pool" else Cost()
    costs = [norm(spec.transformer_norm, width) if spec.head_norm else Cost()]
    if spec.hidden_head:
        hidden = width if spec.hidden_head is True else spec.hidden_head
        costs.append(dense(width, hidden, True))
        width = hidden
    return add(*costs, dense(width, spec.num_classes, True))


BLOCKS = {"mbconv": count_mbconv, "convnext": count_convnext, "transformer": count_transformer}
