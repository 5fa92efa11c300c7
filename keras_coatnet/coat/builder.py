"""From a spec to a Keras model, layer by layer; pure Keras, no file, no download."""

import keras

from keras_coatnet.coat.check import POOLINGS
from keras_coatnet.coat.functional import CoaTModel
from keras_coatnet.coat.norm_folds import head_norm_kind
from keras_coatnet.coat.plan import PARALLEL_SCALES, head_norm_name, head_scales, parallel_blocks, plan_scales
from keras_coatnet.coat.sizes import check_input_sides
from keras_coatnet.families.check import check_options
from keras_coatnet.families.head import classify, pool_map
from keras_coatnet.families.inputs import from_user_format, input_shape_of, make_input, source_of, to_user_format
from keras_coatnet.families.options import Options
from keras_coatnet.layers import (
    ClassToken,
    ConvPositionEncoding,
    ConvRelativePosition,
    ParallelBlock,
    PatchEmbedding,
    SerialBlock,
    TokenAggregation,
)
from keras_coatnet.layers.initializers import Normal
from keras_coatnet.layers.normalization import normalization

# Of linear maps, the classifier among them; convolutions start as PyTorch's do.
LINEAR = Normal(0.02, cut=2.0)


def build_model(spec, *, input_shape=None, input_tensor=None, options=None, name=None):
    """Build a CoaT.

    Args:
        spec: `CoaTSpec`.
        input_shape: (H, W, C), sides None where any size shall do; None is the spec's own size and 3 channels.
        input_tensor: tensor to build on instead of a new input.
        options: `Options`.
        name: of the model; None is the spec's.

    Returns: `CoaTModel`.
    Raises: ValueError for what the spec or the options say that cannot be, before anything is built.
    """
    options = options or Options()
    check_options(spec, options, POOLINGS)
    scales = plan_scales(spec)
    shape = input_shape_of(spec, input_shape, input_tensor, check_input_sides)
    inputs = make_input(shape, input_tensor)
    x = from_user_format(inputs, options.dtype)
    streams = []
    for scale in scales:
        streams.append(Stream(spec, scale, options, x))
        for block in scale.blocks:
            streams[-1].run_serial_block(block)
        x = streams[-1].image_map
    for block in parallel_blocks(spec):
        run_parallel_block(spec, options, block, [streams[scale - 1] for scale in PARALLEL_SCALES])
    outputs = add_head(spec, options, streams)
    return CoaTModel(source_of(inputs, input_tensor), outputs, name=name or spec.name, spec=spec, options=options)


class Stream:
    """A scale while its graph is built: its map, its class token, and the layers that all its blocks share."""

    def __init__(self, spec, scale, options, x):
        self.spec, self.scale, self.options = spec, scale, options
        policy, prefix = options.dtype, scale.prefix
        self.image_map = PatchEmbedding(
            scale.width,
            scale.patch_size,
            norm_epsilon=spec.patch_norm_epsilon,
            name=f"{prefix}_patch_embedding",
            dtype=policy,
        )(x)
        self.class_token = ClassToken(name=f"{prefix}_class_token", dtype=policy)(self.image_map)
        self.position_encoding = ConvPositionEncoding(
            spec.position_kernel_size,
            residual=not spec.folded,
            name=f"{prefix}_position_encoding",
            dtype=policy,
        )
        self.windows = ConvRelativePosition(
            spec.num_heads, spec.windows, name=f"{prefix}_relative_position", dtype=policy
        )(self.image_map)

    def encode_positions(self):
        self.image_map = self.position_encoding(self.image_map)

    def run_serial_block(self, name):
        self.encode_positions()
        block = SerialBlock(
            expansion=self.scale.expansion,
            norm=("standardize",) * 2 if self.spec.folded else "layer",
            name=name,
            **block_options(self.spec, self.options),
        )
        self.image_map, self.class_token = block(self.image_map, self.class_token, self.windows)


def run_parallel_block(spec, options, name, streams):
    for stream in streams:
        stream.encode_positions()
    block = ParallelBlock(
        PARALLEL_SCALES,
        expansion=streams[0].scale.expansion,
        norm=("standardize", "layer") if spec.folded else "layer",
        name=name,
        **block_options(spec, options),
    )
    image_maps, class_tokens = block(
        [stream.image_map for stream in streams],
        [stream.class_token for stream in streams],
        [stream.windows for stream in streams],
    )
    for stream, image_map, class_token in zip(streams, image_maps, class_tokens, strict=True):
        stream.image_map, stream.class_token = image_map, class_token


def block_options(spec, options):
    """What all blocks of a model have in common."""
    return {
        "num_heads": spec.num_heads,
        "activation": spec.activation,
        "norm_epsilon": spec.norm_epsilon,
        # A folded norm leaves its shift in the bias.
        "qkv_bias": spec.qkv_bias or spec.folded,
        "drop_path_rate": spec.drop_path_rate if options.drop_path_rate is None else options.drop_path_rate,
        "attention_dropout_rate": options.attention_dropout_rate,
        "dropout_rate": options.mlp_dropout_rate,
        "kernel_initializer": LINEAR,
        "dtype": options.dtype,
    }


def add_head(spec, options, streams):
    """Everything behind the last maps and class tokens that the options ask for."""
    if options.include_top or options.pooling == "token":
        x = read_tokens(spec, options, {scale: streams[scale - 1].class_token for scale in head_scales(spec)})
        return classify(x, spec, options, LINEAR) if options.include_top else x
    x = normalize(spec, options, 4, streams[-1].image_map)
    if options.pooling is None:
        return to_user_format(x, options.dtype)
    return pool_map(x, options.pooling, options.dtype)


def read_tokens(spec, options, tokens):
    """The vector that the classifier reads: (B, C) from {scale: (B, 1, C)}."""
    normed = [normalize(spec, options, scale, token) for scale, token in tokens.items()]
    if len(normed) == 1:
        return keras.layers.Flatten(data_format="channels_last", name="class_token", dtype=options.dtype)(normed[0])
    stacked = keras.layers.Concatenate(axis=1, name="class_tokens", dtype=options.dtype)(normed)
    return TokenAggregation(name="aggregation", dtype=options.dtype)(stacked)


def normalize(spec, options, scale, x):
    norm = normalization(
        head_norm_kind(spec, options),
        epsilon=spec.norm_epsilon,
        momentum=None,
        name=head_norm_name(scale),
        dtype=options.dtype,
    )
    return norm(x)
