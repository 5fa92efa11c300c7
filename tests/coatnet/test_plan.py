"""Plans: one row a block, the same for builder, counter and name tables."""

import pytest

import keras_coatnet as kc
from keras_coatnet.coatnet.plan import plan_blocks, rounded
from keras_coatnet.coatnet.variants import VARIANTS

pytestmark = pytest.mark.backend_free


def plan(name):
    return {block.name: block for block in plan_blocks(kc.get_spec(name))}


def test_default_family_takes_heads_and_hidden_width_from_the_input():
    blocks = plan("coatnet_0")
    first, second = blocks["stage3_block1"], blocks["stage3_block2"]
    assert (first.num_heads, second.num_heads) == (6, 12)
    assert [blocks[f"stage1_block{n}"].expanded_width for n in (1, 2)] == [256, 384]
    assert [blocks[f"stage2_block{n}"].squeeze_width for n in (1, 2)] == [24, 48]


def test_paper_takes_heads_and_hidden_width_from_the_output():
    blocks = plan("coatnet_0_paper")
    assert [blocks[f"stage3_block{n}"].num_heads for n in (1, 2)] == [12, 12]
    assert [blocks[f"stage1_block{n}"].expanded_width for n in (1, 2)] == [384, 384]
    assert [blocks[f"stage2_block{n}"].squeeze_width for n in (1, 2)] == [48, 48]


@pytest.mark.parametrize(
    ("number", "heads"),
    [
        (0, (12, 24)),
        (1, (12, 24)),
        (2, (16, 32)),
        (3, (24, 48)),
        (4, (24, 48)),
        (5, (20, 32)),
        (6, (12, 16)),
        (7, (16, 24)),
    ],
)
def test_paper_has_its_published_heads(number, heads):
    transformers = [block for block in plan(f"coatnet_{number}_paper").values() if block.kind == "transformer"]
    assert tuple(dict.fromkeys(block.num_heads for block in transformers)) == heads


def test_mixed_third_stage_widens_without_a_stride():
    blocks = plan("coatnet_7_paper")
    widening = blocks["stage4_block1"]
    assert (blocks["stage3_block8"].kind, widening.kind) == ("mbconv", "transformer")
    assert (widening.input_width, widening.width, widening.strides, widening.projects_shortcut) == (1024, 2048, 1, True)


def test_shortcut_is_projected_where_widths_differ_and_in_the_default_family_at_every_stage():
    assert plan("coatnet_2")["stage1_block1"].projects_shortcut
    assert not plan("coatnet_2_paper")["stage1_block1"].projects_shortcut
    assert not plan("coatnet_2_rw")["stage1_block1"].projects_shortcut
    assert not plan("coatnet_2")["stage1_block2"].projects_shortcut


def test_nano_cc_has_one_convolution_in_each_attention_stage():
    kinds = [block.kind for block in plan("coatnet_nano_cc").values() if block.stage in (3, 4)]
    assert kinds == ["mbconv", *["transformer"] * 5, "mbconv", *["transformer"] * 2]


@pytest.mark.parametrize(
    ("value", "rounded_value"), [(24, 24), (10, 16), (40, 40), (16, 16), (6, 8), (2, 8), (44, 48), (43, 40), (52, 56)]
)
def test_squeeze_width_is_rounded_to_eights_and_never_down_by_a_tenth(value, rounded_value):
    assert rounded(value, 8) == rounded_value


def test_strides_stand_in_the_first_block_of_a_stage():
    for name in list(VARIANTS):
        spec = kc.get_spec(name)
        for block in plan_blocks(spec):
            assert block.strides == (spec.strides[block.stage - 1] if block.number == 1 else 1)


def test_last_stochastic_depth_of_kecam_and_paper_stays_below_the_rate_and_timms_reaches_it():
    shares = {name: plan_blocks(kc.get_spec(name))[-1].drop_path_share for name in ("coatnet_0", "coatnet_0_timm")}
    assert shares == {"coatnet_0": 11 / 12, "coatnet_0_timm": 1.0}


@pytest.mark.parametrize(
    ("widths", "message"),
    [((16, 40), r"got 16 to 40 at stage2_block1\. Nearest: 32 or 48"), ((4, 8), r"got 8 to 4 .* Nearest: 8")],
)
def test_convnext_widens_by_whole_factors(widths, message):
    spec = kc.coatnet_spec((1, 1), widths, 8, layout="CC", convolution_block="convnext")
    with pytest.raises(ValueError, match=message):
        plan_blocks(spec)


def test_zero_heads_are_refused_with_both_widths():
    spec = kc.coatnet_spec((1, 1), (16, 64), 8, layout="CT", name="own")
    with pytest.raises(
        ValueError, match=r"stage 2 of own must have at least one .* got 0: its input width is 16 and head_dim"
    ):
        plan_blocks(spec)


def test_expansion_that_leaves_no_channel_is_refused():
    spec = kc.coatnet_spec((1,), (8,), 8, layout="C", expansion=0.1)
    with pytest.raises(ValueError, match=r"stage1_block1 a hidden channel; got 0.1 of 8"):
        plan_blocks(spec)
