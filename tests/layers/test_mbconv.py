"""MBConv against its equation, over its options."""

import numpy as np
import oracle
import pytest
from agreement import assert_close, filled, outputs

from keras_coatnet.layers import MBConv

SHAPE = (2, 5, 6, 4)
ACTIVATIONS = {"gelu": oracle.gelu, "silu": oracle.silu, "relu": oracle.relu, None: lambda x: x}


def expected_output(layer, x):
    """The docstring's equation read with the layer's own arguments."""
    config = layer.get_config()
    activation = ACTIVATIONS[config["activation"]]
    stride, kernel = config["strides"], (config["kernel_size"],) * 2

    def norm(sublayer, y):
        normalize = oracle.batch_norm if config["norm"] == "batch" else oracle.layer_norm
        return normalize(sublayer, y, config["norm_epsilon"])

    def norm_and_activate(sublayer, y):
        return norm(sublayer, activation(y)) if config["activation_first"] else activation(norm(sublayer, y))

    p = ACTIVATIONS[config["prenorm_activation"]](norm(layer.prenorm, x))
    y = p
    if config["stride_in"] == "pool":
        y = oracle.pool(y, config["branch_pool"], stride)
    if config["stride_in"] == "expand":
        y = y[:, ::stride, ::stride]
    y = norm_and_activate(layer.expansion_norm, oracle.dense(layer.expansion, y))
    strides = (stride if config["stride_in"] == "depthwise" else 1,) * 2
    pads = oracle.pads_of(config["padding"], y.shape[1:3], kernel, strides)
    y = oracle.depthwise(y, oracle.values(layer.depthwise.kernel), strides, pads)
    y = y + oracle.values(layer.depthwise.bias)
    squeeze = ACTIVATIONS[config["squeeze_activation"]]
    if layer.squeeze_excite is not None and config["squeeze_place"] == "before_norm":
        y = oracle.squeeze_excite(layer.squeeze_excite, y, squeeze)
    y = norm_and_activate(layer.depthwise_norm, y)
    if layer.squeeze_excite is not None and config["squeeze_place"] == "after_norm":
        y = oracle.squeeze_excite(layer.squeeze_excite, y, squeeze)
    shortcut = oracle.pool(p if config["prenorm_shortcut"] and layer.shortcut else x, config["shortcut_pool"], stride)
    if layer.shortcut is not None:
        shortcut = oracle.dense(layer.shortcut, shortcut)
    return shortcut + oracle.dense(layer.projection, y)


@pytest.mark.parametrize(
    "arguments",
    [
        {"width": 4},
        {"width": 6, "squeeze_width": 2},
        {"width": 6, "strides": 2, "squeeze_width": 2, "squeeze_place": "before_norm", "activation": "silu"},
        {"width": 4, "strides": 2, "padding": "same", "shortcut_pool": "max3x3"},
        {"width": 6, "strides": 2, "stride_in": "expand", "shortcut_bias": False, "projection_bias": False},
        {"width": 6, "strides": 3, "stride_in": "expand", "padding": "same"},
        {"width": 6, "strides": 2, "stride_in": "pool", "branch_pool": "average", "shortcut_pool": "average"},
        {"width": 4, "strides": 2, "stride_in": "pool", "branch_pool": "max3x3", "project_shortcut": True},
        {"width": 4, "activation_first": True, "squeeze_width": 3, "squeeze_activation": "silu"},
        {"width": 4, "norm": "layer", "norm_epsilon": 1e-3, "kernel_size": 5, "prenorm_activation": "silu"},
        {"width": 6, "strides": 2, "prenorm_shortcut": True, "prenorm_activation": "relu", "activation": "relu"},
        {"width": 4, "prenorm_shortcut": True},
        {"width": 4, "prenorm_shortcut": True, "project_shortcut": True},
    ],
    ids=str,
)
def test_output_is_that_of_the_equation(arguments):
    layer = filled(MBConv(expanded_width=7, name="layer", **arguments), SHAPE)
    found, x = outputs(layer, SHAPE)
    assert_close(found, expected_output(layer, x))


def test_equal_widths_without_stride_keep_the_input_as_shortcut():
    layer = filled(MBConv(4, 7, name="layer"), SHAPE)
    assert layer.shortcut is None
    layer.projection.kernel.assign(np.zeros((7, 4)))
    layer.projection.bias.assign(np.zeros(4))
    found, x = outputs(layer, SHAPE)
    np.testing.assert_array_equal(found, x.astype("float32"))


def test_biases_are_where_the_arguments_say():
    def biases(**arguments):
        layer = filled(MBConv(6, 7, squeeze_width=2, name="layer", **arguments), SHAPE)
        return {weight.path.split("/")[-2] for weight in layer.weights if weight.name == "bias"}

    assert biases() == {"reduce", "expand", "projection", "shortcut"}
    assert biases(activation_first=True) == {"expansion", "depthwise", "reduce", "expand", "projection", "shortcut"}
    assert biases(shortcut_bias=False, projection_bias=False) == {"reduce", "expand"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, r"width must be a whole number of at least 1; got 0\."),
        ({"strides": 0}, r"strides must be a whole number of at least 1; got 0\."),
        ({"expanded_width": 2.5}, r"expanded_width must be a whole number of at least 1; got 2\.5\."),
        (
            {"stride_in": "depth"},
            r"stride_in must be one of 'depthwise', 'expand', 'pool'; got 'depth'\. Nearest: 'depthwise'\.",
        ),
        ({"squeeze_place": "first"}, r"squeeze_place must be one of 'after_norm', 'before_norm'; got 'first'\."),
        ({"shortcut_pool": "avg"}, r"shortcut_pool must be one of 'max', 'average', 'max3x3'; got 'avg'\."),
        ({"branch_pool": "mean"}, r"branch_pool must be one of 'max', 'average', 'max3x3'; got 'mean'\."),
        ({"norm": "group"}, r"norm must be one of 'batch', 'layer', 'affine', 'standardize', None; got 'group'\."),
        ({"padding": "valid"}, r"padding must be one of 'symmetric', 'same'; got 'valid'\."),
        ({"drop_path_rate": 1.0}, r"drop_path_rate must be at least 0 and below 1; got 1\.0\."),
        ({"activation": "gelo"}, r"gelo"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MBConv(**{"width": 4, "expanded_width": 8, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"strides": 2, "shortcut_pool": "average"},
            r"from a map of 5 x 6 pixels the branch gives 3 x 3 and the shortcut 2 x 3\..*strides=2",
        ),
        ({"kernel_size": 4}, r"the branch gives 6 x 7 and the shortcut 5 x 6\."),
        (
            {"strides": 6, "stride_in": "pool", "branch_pool": "average", "shortcut_pool": "average"},
            r"the branch gives 0 x 1 and the shortcut 0 x 1\.",
        ),
    ],
)
def test_paths_of_different_sizes_are_refused_at_build(arguments, message):
    with pytest.raises(ValueError, match=message):
        MBConv(4, 8, **arguments).build(SHAPE)
