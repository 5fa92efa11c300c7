"""Stages as rows to show."""

import pytest

import keras_coatnet as kc
from keras_coatnet.coatnet.stages import list_stages

pytestmark = pytest.mark.backend_free


def test_stages_of_coatnet_0_are_those_of_the_paper():
    assert list_stages(kc.get_spec("coatnet_0_paper")) == [
        ("stem", "2 convolution", 64, (112, 112)),
        ("stage1", "2 mbconv", 96, (56, 56)),
        ("stage2", "3 mbconv", 192, (28, 28)),
        ("stage3", "5 transformer", 384, (14, 14)),
        ("stage4", "2 transformer", 768, (7, 7)),
    ]


def test_mixed_stage_names_its_kinds_in_order():
    spec = kc.coatnet_spec((1, 3), (32, 64), 16, layout=("C", "CT"))
    assert [stage.blocks for stage in list_stages(spec)[1:]] == ["1 mbconv", "1 mbconv, 2 transformer"]
