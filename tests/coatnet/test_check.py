"""Every field and option that cannot be is refused with its value and what is allowed."""

import dataclasses

import pytest

import keras_coatnet as kc
from keras_coatnet.coatnet.check import WORDS, check_options, check_spec
from keras_coatnet.coatnet.functional import Options
from keras_coatnet.coatnet.spec import CoAtNetSpec

pytestmark = pytest.mark.backend_free

SPEC = kc.coatnet_spec((1, 2), (16, 32), 8, name="own")

WRONG = [
    ({"depths": ()}, r"depths of own must have a number of blocks for each stage; got \(\)"),
    ({"depths": 3}, "depths of own must have a number of blocks for each stage; got 3"),
    ({"depths": (0, 1)}, r"depths of own must be whole and above 0; got \(0, 1\)"),
    ({"depths": (1.5, 1)}, r"depths of own must be whole and above 0; got \(1.5, 1\)"),
    ({"widths": (8,)}, r"widths of own must have one entry a stage, 2 as depths=\(1, 2\); got \(8,\)"),
    ({"widths": 8}, "widths of own must have one entry a stage.*got 8"),
    ({"widths": "ab"}, "widths of own must be whole and above 0; got 'ab'"),
    ({"widths": (8, -16)}, r"widths of own must be whole and above 0; got \(8, -16\)"),
    ({"strides": (2, 2, 2)}, r"strides of own must have one entry a stage.*got \(2, 2, 2\)"),
    ({"strides": (2, 0)}, r"strides of own must be whole and above 0; got \(2, 0\)"),
    ({"layout": "CCTT"}, "layout of own must have one entry a stage, 2 .* got 'CCTT'"),
    ({"layout": "CX"}, "layout of own is made of the letters C and T; got 'CX'"),
    ({"layout": ("C", "")}, r"layout of own is made of the letters C and T; got \('C', ''\)"),
    ({"layout": (0, 1)}, r"layout of own is made of the letters C and T; got \(0, 1\)"),
    ({"stem": 0}, "stem of own must be whole and above 0; got 0"),
    (
        {"stem": (8, 8, 8)},
        r"stem, stem_strides and stem_kernel_sizes of own .* got stem=\(8, 8, 8\), stem_strides=\(2, 1\)",
    ),
    ({"stem_kernel_sizes": (3,)}, r"one entry a convolution; .* stem_kernel_sizes=\(3,\)"),
    ({"head_dim": 0}, "head_dim of own must be whole and above 0; got 0"),
    ({"head_dim": (32, 32, 32)}, r"head_dim of own must be one value or one a stage \(2\); got \(32, 32, 32\)"),
    ({"num_heads": 0}, "num_heads of own must be whole and above 0; got 0"),
    ({"num_heads": (None, 0)}, r"num_heads of own must be whole and above 0; got \(None, 0\)"),
    ({"expansion": 0}, "expansion of own must be above 0; got 0"),
    ({"expansion": (4,)}, r"expansion of own must be one value or one a stage \(2\); got \(4,\)"),
    ({"expansion": "4"}, "expansion of own must be above 0; got '4'"),
    ({"se_ratio": -0.25}, "se_ratio of own must be a number from 0 up.*got -0.25"),
    ({"se_ratio": ((), 0.25)}, r"se_ratio of own must be a number from 0 up.*got \(\(\), 0.25\)"),
    ({"kernel_size": 4}, 'kernel_size of own must be odd where padding is "symmetric"; got 4. Nearest: 3 or 5'),
    ({"drop_path_rate": 1.0}, "drop_path_rate of own must be at least 0 and below 1; got 1.0"),
    ({"drop_path_rate": -0.1}, "drop_path_rate of own must be at least 0 and below 1; got -0.1"),
    ({"drop_path_rate": "0.1"}, "drop_path_rate of own must be at least 0 and below 1; got '0.1'"),
    ({"position_dropout_rate": 1}, "position_dropout_rate of own must be at least 0 and below 1; got 1"),
    ({"norm_momentum": 1.5}, "norm_momentum of own must be at least 0 and below 1; got 1.5"),
    ({"transformer_norm_epsilon": 0.0}, "transformer_norm_epsilon of own must be above 0; got 0.0"),
    ({"hidden_head": -1}, "hidden_head of own must be True, False or a width; got -1"),
    ({"activation": "gleu"}, "activation of own must be the name of a Keras activation.*got 'gleu'. Nearest: .*gelu"),
    ({"hidden_head_activation": "tan"}, "hidden_head_activation of own .*got 'tan'. Nearest: tanh"),
    (
        {"stride_in": "depth"},
        "stride_in of own must be one of 'depthwise', 'expand', 'pool'; got 'depth'. Nearest: depthwise",
    ),
    ({"family": "kecam"}, "family of own must be one of 'coatnet', 'paper', 'timm'; got 'kecam'"),
    ({"relative_position": "tables"}, "relative_position of own must be one of 'table', 'mlp', 'constant', None; got 'tables'"),
    ({"initialization": "he"}, "initialization of own must be one of 'uniform_fan_in'.*got 'he'"),
]


@pytest.mark.parametrize(("fields", "message"), WRONG, ids=[str(row[0]) for row in WRONG])
def test_wrong_field_is_refused_with_its_value_and_what_is_allowed(fields, message):
    spec = dataclasses.replace(SPEC, **fields)
    with pytest.raises(ValueError, match=message):
        check_spec(spec)


@pytest.mark.parametrize("field", WORDS)
def test_every_word_is_refused_when_it_is_none_of_the_choices(field):
    with pytest.raises(ValueError, match=f"{field} of own must be one of .*; got 'nothing like it'"):
        check_spec(dataclasses.replace(SPEC, **{field: "nothing like it"}))


def test_every_variant_passes():
    for name in kc.list_variants():
        check_spec(kc.get_spec(name))


def test_every_field_with_words_is_a_field():
    assert set(WORDS) <= {field.name for field in dataclasses.fields(CoAtNetSpec)}


WRONG_OPTIONS = [
    ({"pooling": "average"}, "pooling must be one of None, 'avg', 'max'; got 'average'. Nearest: avg"),
    ({"pooling": ""}, "pooling must be one of None, 'avg', 'max'; got ''"),
    ({"drop_path_rate": 1.0}, "drop_path_rate must be at least 0 and below 1; got 1.0"),
    ({"dropout_rate": 1.2}, "dropout_rate must be at least 0 and below 1; got 1.2"),
    ({"attention_dropout_rate": -0.5}, "attention_dropout_rate must be at least 0 and below 1; got -0.5"),
    ({"mlp_dropout_rate": float("nan")}, "mlp_dropout_rate must be at least 0 and below 1; got nan"),
    ({"num_classes": 0}, "num_classes must be at least 1 with a top; got 0. For features, pass include_top=False"),
    ({"num_classes": -3}, "num_classes must be a whole number from 1 up; got -3"),
    ({"num_classes": -3, "include_top": False}, "num_classes must be a whole number from 1 up; got -3"),
    ({"num_classes": 10.0}, "num_classes must be a whole number from 1 up; got 10.0"),
    ({"classifier_activation": "softmux"}, "classifier_activation must be the name.*got 'softmux'. Nearest: softmax"),
]


@pytest.mark.parametrize(("options", "message"), WRONG_OPTIONS, ids=[str(row[0]) for row in WRONG_OPTIONS])
def test_wrong_option_is_refused_with_its_value_and_what_is_allowed(options, message):
    with pytest.raises(ValueError, match=message):
        check_options(SPEC, Options(**options))


def test_no_classes_are_fine_without_a_top():
    check_options(SPEC, Options(include_top=False, num_classes=0))


def test_classes_of_the_spec_are_looked_at_where_no_option_replaces_them():
    nothing = dataclasses.replace(SPEC, num_classes=0)
    with pytest.raises(ValueError, match="num_classes must be at least 1 with a top; got 0"):
        check_options(nothing, Options())
    check_options(nothing, Options(num_classes=2))
