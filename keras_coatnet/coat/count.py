"""Parameters and multiply-adds of a CoaT from its spec, nothing built: arithmetic on the same plan that is built."""

from keras_coatnet.coat.norm_folds import head_norm_kind
from keras_coatnet.coat.plan import PARALLEL_SCALES, head_scales, plan_scales
from keras_coatnet.coat.sizes import check_input_sides, map_sizes
from keras_coatnet.families.cost import Cost, add, area, dense, norm, sides_and_channels, total
from keras_coatnet.families.options import Options


def count_coat(spec, input_shape=None):
    """Count a model with a top of `spec.num_classes` classes; without a top where that is 0.

    Multiply-adds are those of convolutions, dense layers and both attention products. Norms, activations, biases,
    softmax and the resizing between scales count nothing.

    Args:
        spec: `CoaTSpec`.
        input_shape: (H, W, C) in this order whatever Keras' image data format is, or (H, W) for 3 channels; None is the
            spec's own size.

    Returns: `Count`.
    Raises: ValueError for open sides, a size the spec cannot take, or a spec that cannot be built.
    """
    height, width, channels = sides_and_channels(spec, input_shape, check_input_sides)
    costs = []
    pixels = {}
    for scale, sides in zip(plan_scales(spec), map_sizes(spec, (height, width)), strict=True):
        pixels[scale.number] = area(sides)
        costs.append(count_scale(spec, scale, channels, area(sides)))
        costs += [count_serial_block(spec, scale, area(sides))] * scale.depth
        channels = scale.width
    if spec.parallel_depth:
        scales = [scale for scale in plan_scales(spec) if scale.number in PARALLEL_SCALES]
        costs += [count_parallel_block(spec, scales, pixels)] * spec.parallel_depth
    return total([*costs, count_head(spec)])


def count_scale(spec, scale, channels, pixels):
    """What a scale has once: patches, class token, and the windows that its blocks share (and each one runs)."""
    return add(
        dense(scale.patch_size**2 * channels, scale.width, True, pixels),
        norm("layer", scale.width),
        Cost(trainable=scale.width),
        Cost(trainable=(spec.position_kernel_size**2 + 1) * scale.width),
        Cost(trainable=relative_position_taps(spec, scale) + scale.width),
    )


def relative_position_taps(spec, scale):
    """Weights of the windows without biases: also the multiply-adds at one pixel."""
    return sum(side**2 * heads for side, heads in spec.windows) * (scale.width // spec.num_heads)


def count_attention(spec, scale, pixels):
    """Both linear maps, both products with all tokens, and the windows of the map."""
    width, tokens = scale.width, pixels + 1
    return add(
        norm("standardize" if spec.folded else "layer", width),
        dense(width, 3 * width, spec.qkv_bias or spec.folded, tokens),
        Cost(macs=2 * tokens * width * (width // spec.num_heads)),
        Cost(macs=pixels * relative_position_taps(spec, scale)),
        Cost(macs=pixels * spec.position_kernel_size**2 * width),
        dense(width, width, True, tokens),
    )


def count_perceptron(scale, tokens):
    return add(
        dense(scale.width, scale.hidden_width, True, tokens), dense(scale.hidden_width, scale.width, True, tokens)
    )


def count_serial_block(spec, scale, pixels):
    return add(
        count_attention(spec, scale, pixels),
        norm("standardize" if spec.folded else "layer", scale.width),
        count_perceptron(scale, pixels + 1),
    )


def count_parallel_block(spec, scales, pixels):
    """One perceptron serves all scales."""
    tokens = sum(pixels[scale.number] + 1 for scale in scales)
    return add(
        *(count_attention(spec, scale, pixels[scale.number]) for scale in scales),
        *(norm("layer", scale.width) for scale in scales),
        count_perceptron(scales[0], tokens),
    )


def count_head(spec):
    options = Options(include_top=spec.num_classes > 0)
    width = spec.embed_dims[-1]
    kind = head_norm_kind(spec, options)
    if not options.include_top:
        return norm(kind, width)
    scales = head_scales(spec)
    costs = [norm(kind, width)] * len(scales)
    if len(scales) > 1:
        costs.append(Cost(trainable=len(scales) + 1, macs=len(scales) * width))
    return add(*costs, dense(width, spec.num_classes, True))
