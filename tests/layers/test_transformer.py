"""TransformerBlock against its equations, over its options."""

import numpy as np
import oracle
import pytest
from agreement import assert_close, filled, outputs

from keras_coatnet.layers import TransformerBlock

SHAPE = (2, 5, 6, 4)
HEADS, HEAD_DIM = 2, 3
ACTIVATIONS = {"gelu": oracle.gelu, "silu": oracle.silu, None: lambda x: x}


def expected_output(layer, x):
    """The docstring's equations read with the layer's own arguments."""
    config = layer.get_config()
    stride, kind = config["strides"], config["pool"]

    def norm(sublayer, y):
        normalize = oracle.batch_norm if config["norm"] == "batch" else oracle.layer_norm
        return normalize(sublayer, y, config["norm_epsilon"])

    def scaled(scale, y):
        return y if scale is None else oracle.values(scale.gamma) * y

    p = ACTIVATIONS[config["prenorm_activation"]](norm(layer.attention_norm, x))
    pooled = oracle.pool(p, kind, stride)
    bias = None
    if config["relative_position"] == "table":
        table = oracle.values(layer.attention.relative_position_bias.relative_position_bias_table)
        bias = oracle.table_bias(table, *pooled.shape[1:3])
    if config["relative_position"] == "mlp":
        bias = oracle.network_bias(layer.attention.relative_position_bias, *pooled.shape[1:3])
    after = config["bias_place"] == "after_softmax"
    shortcut = oracle.pool(p if config["prenorm_shortcut"] and layer.shortcut else x, kind, stride)
    if layer.shortcut is not None:
        shortcut = oracle.dense(layer.shortcut, shortcut)
    y = oracle.attention(layer.attention, pooled, HEADS, HEAD_DIM, bias, after)
    x = shortcut + scaled(layer.attention_scale, y)
    hidden = ACTIVATIONS[config["activation"]](oracle.dense(layer.mlp_expansion, norm(layer.mlp_norm, x)))
    return x + scaled(layer.mlp_scale, oracle.dense(layer.mlp_projection, hidden))


@pytest.mark.parametrize(
    "arguments",
    [
        {"width": 4},
        {"width": 6, "expansion": 2.5, "activation": "silu"},
        {"width": 6, "strides": 2, "shortcut_bias": False},
        {"width": 4, "strides": 2, "pool": "average", "norm": "batch", "prenorm_activation": "silu"},
        {"width": 6, "strides": 2, "pool": "max3x3", "bias_place": "after_softmax"},
        {"width": 6, "relative_position": "mlp", "position_hidden_width": 5, "layer_scale": 1.0},
        {"width": 4, "relative_position": None, "qkv_bias": False, "output_bias": False, "mlp_bias": False},
        {"width": 6, "strides": 2, "prenorm_shortcut": True, "norm_epsilon": 1e-2},
        {"width": 4, "prenorm_shortcut": True},
        {"width": 4, "prenorm_shortcut": True, "project_shortcut": True},
    ],
    ids=str,
)
def test_output_is_that_of_the_equations(arguments):
    layer = filled(TransformerBlock(num_heads=HEADS, head_dim=HEAD_DIM, name="layer", **arguments), SHAPE)
    found, x = outputs(layer, SHAPE)
    assert_close(found, expected_output(layer, x))


def test_both_branches_closed_leave_the_input():
    layer = filled(TransformerBlock(4, HEADS, head_dim=HEAD_DIM, layer_scale=1.0, name="layer"), SHAPE)
    for scale in (layer.attention_scale, layer.mlp_scale):
        scale.gamma.assign(np.zeros(4))
    found, x = outputs(layer, SHAPE)
    np.testing.assert_array_equal(found, x.astype("float32"))


def test_branches_drop_samples_by_draws_of_their_own():
    layer = TransformerBlock(4, HEADS, head_dim=HEAD_DIM, drop_path_rate=0.3, name="layer")
    layer.build(SHAPE)
    assert layer.attention_drop_path.rate == layer.mlp_drop_path.rate == 0.3
    states = [
        tuple(np.asarray(path.seed_generator.state.value)) for path in (layer.attention_drop_path, layer.mlp_drop_path)
    ]
    assert states[0] != states[1]


def test_table_has_the_size_of_the_pooled_map():
    layer = TransformerBlock(4, HEADS, head_dim=HEAD_DIM, strides=2, name="layer")
    layer.build(SHAPE)
    assert layer.attention.relative_position_bias.table_grid == (3, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, r"width must be a whole number of at least 1; got 0\."),
        ({"num_heads": 0}, r"num_heads must be a whole number of at least 1; got 0\."),
        ({"strides": -1}, r"strides must be a whole number of at least 1; got -1\."),
        ({"pool": "avg"}, r"pool must be one of 'max', 'average', 'max3x3'; got 'avg'\."),
        ({"norm": "rms"}, r"norm must be one of 'batch', 'layer', 'affine', 'standardize', None; got 'rms'\."),
        ({"bias_place": "never"}, r"bias_place must be one of 'before_softmax', 'after_softmax'; got 'never'\."),
        ({"drop_path_rate": 1.2}, r"drop_path_rate must be at least 0 and below 1; got 1\.2\."),
        ({"position_dropout_rate": 1}, r"position_dropout_rate must be at least 0 and below 1; got 1\."),
        ({"dropout_rate": -1}, r"dropout_rate must be at least 0 and below 1; got -1\."),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TransformerBlock(**{"width": 4, "num_heads": 2, **arguments})


def test_pool_that_leaves_no_pixel_is_refused_at_build():
    with pytest.raises(ValueError, match=r"from a map of 1 x 6 pixels .* the shortcut 0 x 3\..*strides=2"):
        TransformerBlock(4, HEADS, strides=2, pool="average").build((2, 1, 6, 4))
