"""Stem against its equation, over its options."""

import oracle
import pytest
from agreement import assert_close, filled, outputs

from keras_coatnet.layers import Stem

SHAPE = (2, 7, 10, 3)
ACTIVATIONS = {"gelu": oracle.gelu, "silu": oracle.silu}


def expected_output(layer, x):
    """conv - norm - activation - conv ..., nothing behind the last one."""
    config = layer.get_config()
    activation = ACTIVATIONS[config["activation"]]
    normalize = oracle.batch_norm if config["norm"] == "batch" else oracle.layer_norm
    count = len(config["widths"])
    for number, (stride, kernel) in enumerate(zip(config["strides"], config["kernel_sizes"], strict=True), start=1):
        convolution = getattr(layer, f"convolution{number}")
        pads = oracle.pads_of(config["padding"], x.shape[1:3], (kernel, kernel), (stride, stride))
        x = oracle.convolution(x, oracle.values(convolution.kernel), oracle.values(convolution.bias), stride, pads)
        if number < count:
            norm = getattr(layer, f"norm{number}")
            x = activation(x) if config["activation_first"] else x
            x = normalize(norm, x, config["norm_epsilon"])
            x = x if config["activation_first"] else activation(x)
    return x


@pytest.mark.parametrize(
    "arguments",
    [
        {"widths": (4, 5)},
        {"widths": (4, 5), "padding": "same", "norm_epsilon": 1e-3, "activation": "silu"},
        {"widths": (6,), "strides": (4,), "kernel_sizes": (7,)},
        {"widths": (6,), "strides": (3,), "kernel_sizes": (4,), "padding": "same"},
        {"widths": (4, 5, 6), "strides": (2, 1, 2), "kernel_sizes": (3, 1, 5), "norm": "layer"},
        {"widths": (4, 5), "activation_first": True},
    ],
    ids=str,
)
def test_output_is_that_of_the_equation(arguments):
    layer = filled(Stem(name="layer", **arguments), SHAPE)
    found, x = outputs(layer, SHAPE)
    assert_close(found, expected_output(layer, x))
    assert layer.compute_output_shape(SHAPE) == found.shape


def test_convolutions_have_biases_only_in_front_of_an_activation():
    assert not [weight for weight in filled(Stem((4, 5), name="layer"), SHAPE).weights if weight.name == "bias"]
    layer = filled(Stem((4, 5), activation_first=True, name="layer"), SHAPE)
    assert {weight.path for weight in layer.weights if weight.name == "bias"} == {
        "layer/convolution1/bias",
        "layer/convolution2/bias",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"widths": (4, 5, 6)}, r"widths=\(4, 5, 6\), strides=\(2, 1\), kernel_sizes=\(3, 3\)"),
        ({"widths": (), "strides": (), "kernel_sizes": ()}, r"one entry a convolution; got widths=\(\)"),
        ({"widths": (4, 0)}, r"widths must be a whole number of at least 1; got 0\."),
        ({"widths": (4, 5), "strides": (2, -1)}, r"strides must be a whole number of at least 1; got -1\."),
        ({"widths": (4, 5), "padding": "valid"}, r"padding must be one of 'symmetric', 'same'; got 'valid'\."),
        (
            {"widths": (4, 5), "norm": "none"},
            r"norm must be one of 'batch', 'layer', 'affine', 'standardize', None; got 'none'\.",
        ),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Stem(**arguments)
