"""Parameters and multiply-adds: as published, and those of the model that is built."""

import pytest
from coat_twins import TWINS, twin

import keras_coatnet as kc

# Parameters as timm counts them; millions of multiply-adds at 224 in convolutions, dense layers and attention.
PUBLISHED = {
    "coat_lite_tiny": (5_721_960, 1589.0),
    "coat_lite_mini": (11_011_560, 1987.0),
    "coat_lite_small": (19_838_504, 3943.6),
    "coat_lite_medium": (44_571_048, 9770.9),
    "coat_tiny": (5_498_540, 4316.4),
    "coat_mini": (10_337_004, 6772.6),
    "coat_small": (21_693_908, 12548.0),
}


def test_all_variants_are_published():
    assert set(PUBLISHED) == set(kc.list_variants("coat_*"))


@pytest.mark.backend_free
@pytest.mark.parametrize("name", PUBLISHED)
def test_counts_are_the_published_ones(name):
    parameters, millions = PUBLISHED[name]
    count = kc.count(name)
    assert (count.trainable, count.parameters) == (parameters, parameters)
    assert round(count.macs / 1e6, 1) == millions


@pytest.mark.backend_free
def test_multiply_adds_at_384_are_the_published_ones():
    assert round(kc.count("coat_lite_medium", (384, 384)).macs / 1e6, 1) == 28628.7


@pytest.mark.parametrize("name", TWINS)
def test_the_model_has_as_many_weights_as_are_counted(name):
    spec = twin(name)
    assert kc.CoaT(spec, input_shape=(32, 64, 3)).count_params() == kc.count(spec, (32, 64)).parameters
    fused = kc.fuse(kc.CoaT(spec, input_shape=(32, 64, 3)))
    assert fused.count_params() == kc.count(fused.spec, (32, 64)).parameters
