"""How far two sets of answers are apart, and what becomes of a file that is too far."""

import keras
import numpy as np
import pytest
from small_models import tiny

from keras_coatnet.deploy.verify import (
    Comparison,
    DiffersTooMuch,
    ExportReport,
    as_logits,
    check,
    check_reference,
    compare,
    output_activation,
)

pytestmark = pytest.mark.backend_free

LOGITS = np.random.default_rng(0).normal(size=(4, 6)) * 3


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


@pytest.mark.parametrize(
    ("activation", "function"), [("softmax", softmax), ("sigmoid", sigmoid), ("linear", np.asarray), (None, np.asarray)]
)
def test_difference_is_a_share_of_the_logits_spread(activation, function):
    other = LOGITS.copy()
    other[1, 2] += 0.03
    found = compare(function(LOGITS), function(other), activation)
    # One of six logits moved, so their mean moved by a sixth of it, which softmax does not tell.
    moved, spread = LOGITS, LOGITS
    if activation == "softmax":
        moved, spread = (each - each.mean(axis=1, keepdims=True) for each in (other, LOGITS))
        expected = np.abs(moved - spread).max() / spread.std()
    else:
        expected = 0.03 / LOGITS.std()
    assert found.difference == pytest.approx(expected, rel=1e-3)
    assert found.agreement == 1
    assert found.pictures == 4


def test_agreement_counts_pictures_with_the_same_first_class():
    other = LOGITS.copy()
    other[2] = -other[2]
    assert compare(LOGITS, other, "linear").agreement == 0.75


def test_maps_and_single_numbers_have_no_first_class():
    assert compare(np.ones((2, 3, 3, 4)), np.ones((2, 3, 3, 4)), None).agreement is None
    assert compare(np.ones((2, 1)), np.ones((2, 1)), "sigmoid").agreement is None


def test_nan_is_never_kept():
    for value in (np.nan, np.inf):
        other = softmax(LOGITS)
        other[0, 0] = value
        comparison = compare(softmax(LOGITS), other, "softmax")
        with pytest.raises(DiffersTooMuch, match=r"a\.tflite answers NaN or infinity"):
            check(comparison, "a.tflite", "int8", None)
    with pytest.raises(ValueError, match="'mine' answers NaN or infinity itself"):
        check_reference(np.array([np.nan]), "mine")


@pytest.mark.parametrize(
    ("quantization", "tolerance", "kept", "refused"),
    [(None, None, 9e-5, 1.1e-4), ("float16", None, 1.9e-2, 2.1e-2), ("int8", 0.1, 0.09, 0.11), (None, 0.5, 0.4, 0.6)],
)
def test_file_beyond_the_tolerance_is_refused_with_both_figures(quantization, tolerance, kept, refused):
    check(Comparison(kept, 1.0, 4), "a.onnx", quantization, tolerance)
    with pytest.raises(DiffersTooMuch, match=f"a.onnx is not kept: logits differ by {refused:.1e}.*50.0%") as caught:
        check(Comparison(refused, 0.5, 4), "a.onnx", quantization, tolerance)
    assert (caught.value.difference, caught.value.agreement) == (refused, 0.5)


def test_integers_are_reported_whatever_they_differ_by():
    check(Comparison(3.0, 0.1, 4), "a.tflite", "int8", None)
    check(Comparison(3.0, 0.1, 4), "a.tflite", "dynamic", None)


def test_outputs_of_another_shape_are_refused():
    with pytest.raises(DiffersTooMuch, match=r"\(4, 5\), the model's \(4, 6\)"):
        compare(LOGITS, LOGITS[:, :5], "linear")


def test_probabilities_that_half_precision_cannot_hold_are_no_difference():
    expected = np.array([[0.5, 0.5 - 1e-9, 1e-9]])
    found = expected.astype("float16").astype("float32")
    assert compare(expected, found, "softmax", "float16").difference < 2e-2
    assert np.isfinite(as_logits(found, "softmax", 1e-6)).all()


def nested(model):
    inputs = keras.Input(model.input_shape[1:])
    return keras.Model(inputs, model(inputs))


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "linear"])
def test_activation_is_read_off_the_last_layer(activation):
    model = tiny(activation=activation)
    assert output_activation(model) == activation
    assert output_activation(nested(nested(model))) == activation


def test_activation_of_other_last_layers():
    inputs = keras.Input((4,))
    assert output_activation(keras.Model(inputs, keras.layers.Softmax()(inputs))) == "softmax"
    assert output_activation(keras.Model(inputs, keras.layers.Dropout(0.1)(inputs))) is None


def test_report_is_one_line():
    report = ExportReport("/a/b.onnx", "onnx", 94_300_000, None, True, Comparison(3.1e-7, 1.0, 4))
    assert str(report) == (
        "/a/b.onnx: onnx, 94.3 MB, logits differ by 3.1e-07 of their spread on 4 pictures, first class agrees on 100.0%"
    )
    plain = ExportReport("b.tflite", "litert", 1_000, "int8", False, Comparison(0.1, None, 1))
    assert (
        str(plain) == "b.tflite: litert int8, not fused, 0.0 MB, outputs differ by 1.0e-01 of their spread on 1 picture"
    )
