"""Model cards say what the manifest's rows say."""

import pytest

from keras_coatnet.weights.cards import card
from keras_coatnet.weights.manifest import list_pretrained

pytestmark = pytest.mark.backend_free


def cards(pattern):
    return {(row.name, row.input_size): dict(card(row)) for row in list_pretrained(pattern)}


def test_every_row_has_a_card_without_gaps():
    for name, fields in cards("*").items():
        assert all(fields.values()), name
        assert fields["origin"].count("https://") >= 1 or fields["origin"].endswith("the weights come with it"), name


def test_steps_are_told_in_their_order():
    found = cards("coatnet_0")[("coatnet_0.imagenet", 160)]
    assert found["preprocessing"].startswith("crop the central 0.95 of the short side, resize to 160 (bicubic")
    assert "81.056 top-1, 95.362 top-5 at 224" in found["accuracy"]
    found = cards("coatnet_0_rw")[("coatnet_0_rw.sw_in1k", 224)]
    assert found["preprocessing"].startswith("resize the short side to 235 (bicubic")
    assert found["preprocessing"].endswith("subtract 0.5 0.5 0.5, divide by 0.5 0.5 0.5")
    found = cards("coatnet_rmlp_2_rw")[("coatnet_rmlp_2_rw.sw_in12k_ft_in1k", 384)]
    assert "resize to 384 x 384" in found["preprocessing"]
    assert "aspect lost" in found["preprocessing"]


def test_usage_names_the_tag_or_imagenet():
    assert 'pretrained="imagenet"' in cards("coatnet_0_rw")[("coatnet_0_rw.sw_in1k", 224)]["usage"]
    found = cards("coatnet_2_rw")[("coatnet_2_rw.sw_in12k", 224)]
    assert 'pretrained="sw_in12k"' in found["usage"]
    assert found["accuracy"] == "none published"
