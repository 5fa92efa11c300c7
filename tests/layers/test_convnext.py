"""ConvNeXtBlock against its equation, over its options."""

import numpy as np
import oracle
import pytest
from agreement import assert_close, filled, outputs

from keras_coatnet.layers import ConvNeXtBlock

# Six channels: the variance of three is often so small that the norm multiplies float32's rounding.
SHAPE = (2, 6, 4, 6)
ACTIVATIONS = {"gelu": oracle.gelu, "relu": oracle.relu}


def expected_output(layer, x):
    """The docstring's equation read with the layer's own arguments."""
    config = layer.get_config()
    strides, kernel = (config["strides"],) * 2, (config["kernel_size"],) * 2
    pads = oracle.pads_of(config["padding"], x.shape[1:3], kernel, strides)
    y = oracle.depthwise(x, oracle.values(layer.depthwise.kernel), strides, pads) + oracle.values(layer.depthwise.bias)
    normalize = oracle.batch_norm if config["norm"] == "batch" else oracle.layer_norm
    y = normalize(layer.norm, y, config["norm_epsilon"])
    y = oracle.dense(layer.mlp_projection, ACTIVATIONS[config["activation"]](oracle.dense(layer.mlp_expansion, y)))
    if layer.layer_scale is not None:
        y = y * oracle.values(layer.layer_scale.gamma)
    shortcut = oracle.pool(x, config["shortcut_pool"], config["strides"])
    return (shortcut if layer.shortcut is None else oracle.dense(layer.shortcut, shortcut)) + y


@pytest.mark.parametrize(
    "arguments",
    [
        {"width": 6},
        {"width": 12, "strides": 2, "kernel_size": 3},
        {"width": 18, "kernel_size": 3, "shortcut_bias": False, "layer_scale": None},
        {"width": 6, "strides": 2, "kernel_size": 5, "shortcut_pool": "max", "padding": "same", "expansion": 1.5},
        {"width": 6, "kernel_size": 3, "norm": "batch", "norm_epsilon": 1e-3, "activation": "relu"},
    ],
    ids=str,
)
def test_output_is_that_of_the_equation(arguments):
    layer = filled(ConvNeXtBlock(name="layer", **arguments), SHAPE)
    found, x = outputs(layer, SHAPE)
    assert_close(found, expected_output(layer, x))


def test_scale_starts_as_given():
    layer = ConvNeXtBlock(6, layer_scale=0.25, name="layer")
    layer.build(SHAPE)
    np.testing.assert_array_equal(oracle.values(layer.layer_scale.gamma), np.full(6, 0.25))


def test_width_that_is_no_multiple_is_refused_at_build():
    with pytest.raises(ValueError, match=r"width must be a multiple of the input's 6 channels; got 8\."):
        ConvNeXtBlock(8).build(SHAPE)


def test_paths_of_different_sizes_are_refused_at_build():
    with pytest.raises(ValueError, match=r"map of 5 x 4 pixels the branch gives 3 x 2 and the shortcut 2 x 2\."):
        ConvNeXtBlock(6, strides=2).build((2, 5, 4, 6))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": -1}, r"width must be a whole number of at least 1; got -1\."),
        ({"kernel_size": 0}, r"kernel_size must be a whole number of at least 1; got 0\."),
        ({"padding": "valid"}, r"padding must be one of 'symmetric', 'same'; got 'valid'\."),
        (
            {"norm": "instance"},
            r"norm must be one of 'batch', 'layer', 'affine', 'standardize', None; got 'instance'\.",
        ),
        ({"shortcut_pool": "min"}, r"shortcut_pool must be one of 'max', 'average', 'max3x3'; got 'min'\."),
        ({"drop_path_rate": -0.5}, r"drop_path_rate must be at least 0 and below 1; got -0\.5\."),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConvNeXtBlock(**{"width": 4, **arguments})
