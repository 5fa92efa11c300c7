"""What one's own architecture can say, and that a spec survives JSON."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_coatnet as kc
from keras_coatnet.coatnet.plan import plan_blocks
from keras_coatnet.coatnet.spec import CoAtNetSpec
from keras_coatnet.coatnet.variants import VARIANTS

pytestmark = pytest.mark.backend_free


def blocks(depths, widths=8, stem=8, **fields):
    return plan_blocks(kc.coatnet_spec(depths, widths, stem, **{"head_dim": 8, **fields}))


def column(plans, field):
    return [getattr(plan, field) for plan in plans]


@pytest.mark.parametrize(
    ("stages", "layout"), [(1, "C"), (2, "CT"), (3, "CCT"), (4, "CCTT"), (5, "CCCTT"), (6, "CCCTTT")]
)
def test_any_number_of_stages_is_half_convolution_half_attention(stages, layout):
    spec = kc.coatnet_spec((1,) * stages, 8, 8)
    assert "".join(spec.layout) == layout
    assert spec.strides == (2,) * stages
    assert len(plan_blocks(dataclasses.replace(spec, head_dim=8))) == stages


def test_one_width_doubles_from_stage_to_stage():
    assert kc.coatnet_spec((1, 1, 1), 24, 16).widths == (24, 48, 96)


@pytest.mark.parametrize("layout", ["CTCT", "TTTT", "CCCC", "TTCC"])
def test_layout_string_takes_any_order(layout):
    kinds = column(blocks((1, 1, 1, 1), layout=layout), "kind")
    assert kinds == [{"C": "mbconv", "T": "transformer"}[letter] for letter in layout]


def test_layout_tuple_repeats_its_last_letter():
    kinds = column(blocks((1, 2, 3, 4), layout=("C", "CT", "CT", "TTC")), "kind")
    assert "".join(kind[0] for kind in kinds) == "m" + "mt" + "mtt" + "ttmm"


def test_expansion_is_one_number_or_one_a_stage():
    assert column(blocks((1, 1, 1), widths=(8, 8, 8), expansion=3), "expanded_width") == [24, 24, 24]
    assert column(blocks((1, 1, 1), widths=(8, 8, 8), expansion=(2, 4, 1.5)), "expanded_width") == [16, 32, 12]


@pytest.mark.parametrize(
    ("se_ratio", "squeeze_widths"),
    [
        (0.25, [8, 8, 8, 8]),
        (0.5, [16, 16, 16, 16]),
        (0, [0, 0, 0, 0]),
        ((0.25, 0.5), [8, 8, 16, 16]),
        ((0, 0.25), [0, 0, 8, 8]),
        (((0.25, 0.5), (0, 1)), [8, 16, 0, 32]),
        (((0.25,), 0.5), [8, 8, 16, 16]),
    ],
)
def test_squeeze_ratio_is_a_number_one_a_stage_or_one_a_block(se_ratio, squeeze_widths):
    plans = blocks((2, 2), widths=(32, 32), stem=32, layout="CC", se_ratio=se_ratio)
    assert column(plans, "squeeze_width") == squeeze_widths


def test_number_of_heads_is_free_of_the_width():
    plans = blocks((1, 1), widths=(16, 24), layout="TT", num_heads=8, head_dim=32)
    assert [(plan.num_heads, plan.head_dim) for plan in plans] == [(8, 32), (8, 32)]


def test_heads_and_their_size_may_differ_by_stage():
    plans = blocks((1, 1, 1), widths=(16, 32, 32), layout="TTT", num_heads=(3, None, 5), head_dim=(4, 8, 16))
    assert [(plan.num_heads, plan.head_dim) for plan in plans] == [(3, 4), (2, 8), (5, 16)]


def test_stem_takes_any_convolutions():
    spec = kc.coatnet_spec((1,), 8, (4, 6, 8), stem_strides=(2, 1, 2), stem_kernel_sizes=(3, 5, 3))
    assert kc.count(spec, (64, 96)).trainable > 0
    assert kc.coatnet_spec((1,), 8, (4, 6, 8)).stem_strides == (2, 1, 1)
    assert kc.coatnet_spec((1,), 8, 16, stem_strides=(4,)).stem == 16


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [("linear", [0, 0.25, 0.5, 0.75]), ("linear_to_rate", [0, 1 / 3, 2 / 3, 1]), ("constant", [1, 1, 1, 1])],
)
def test_stochastic_depth_is_linear_or_constant(schedule, shares):
    assert column(blocks((2, 2), drop_path_schedule=schedule), "drop_path_share") == pytest.approx(shares)


def test_schedule_to_the_rate_survives_a_single_block():
    assert column(blocks((1,), drop_path_schedule="linear_to_rate"), "drop_path_share") == [0]


@pytest.mark.parametrize("family", ["coatnet", "paper", "timm"])
def test_family_says_where_the_other_fields_start(family):
    spec = kc.coatnet_spec((1, 1, 1, 1), 32, 32, family=family)
    origin = kc.get_spec({"coatnet": "coatnet_0", "paper": "coatnet_0_paper", "timm": "coatnet_2_rw"}[family])
    same = {"name", "depths", "widths", "stem", "drop_path_rate"}
    differing = {
        field.name
        for field in dataclasses.fields(CoAtNetSpec)
        if getattr(spec, field.name) != getattr(origin, field.name)
    }
    assert differing <= same


def test_own_field_wins_over_the_familys():
    spec = kc.coatnet_spec((1, 1), 32, 32, family="paper", stride_in="pool", hidden_head=False)
    assert (spec.stride_in, spec.hidden_head, spec.expansion_base) == ("pool", False, "output")


def test_sizes_of_an_own_timm_model_follow_its_strides():
    assert kc.coatnet_spec((1, 1, 1, 1, 1), 32, 32, family="timm").size_multiple == 64
    assert kc.coatnet_spec((1, 1), 32, 32, family="timm").size_multiple == 8
    assert kc.coatnet_spec((1, 1), 32, 32, family="timm", size_multiple=16).size_multiple == 16


def test_configuration_of_comvex_can_be_said():
    # Its smallest preset, with a constant drop path, one base width and an activation of one's own in the head.
    spec = kc.coatnet_spec(
        (2, 3, 5, 2),
        96,
        (64, 64),
        layout="CCTT",
        expansion=(4, 4, 4, 4),
        head_dim=32,
        se_ratio=0,
        activation="silu",
        drop_path_rate=0.1,
        drop_path_schedule="constant",
        hidden_head=768,
        hidden_head_activation="relu",
    )
    plans = plan_blocks(spec)
    assert spec.widths == (96, 192, 384, 768)
    assert {plan.squeeze_width for plan in plans} == {0}
    assert {spec.drop_path_rate * plan.drop_path_share for plan in plans} == {0.1}


def test_configuration_of_coatnet_pytorch_can_be_said():
    # Eight heads of 32 whatever the width, 3x3 pools, no biases.
    spec = kc.coatnet_spec(
        (2, 3, 5, 2),
        (96, 192, 384, 768),
        (64, 64),
        layout=("C", "T", "T", "T"),
        num_heads=8,
        head_dim=32,
        convolution_pool="max3x3",
        transformer_pool="max3x3",
    )
    transformers = [plan for plan in plan_blocks(spec) if plan.kind == "transformer"]
    assert len(transformers) == 10
    assert {plan.num_heads * plan.head_dim for plan in transformers} == {256}


def test_unknown_family_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="family must be one of coatnet, paper, timm; got 'google'"):
        kc.coatnet_spec((1,), 8, 8, family="google")


def test_unknown_field_is_refused_with_the_nearest():
    with pytest.raises(TypeError, match=r"no field head_dims\. Nearest: head_dim"):
        kc.coatnet_spec((1,), 8, 8, head_dims=32)


def test_a_spec_is_not_checked_when_it_is_made():
    spec = kc.coatnet_spec((1, 1), (8,), 8, head_dim=0, layout="XYZ", drop_path_rate=7)
    assert (spec.head_dim, spec.layout, spec.drop_path_rate) == (0, "XYZ", 7)


def test_lists_become_tuples_so_that_a_spec_is_a_key():
    spec = kc.coatnet_spec([1, 2], [8, 16], [8, 8], layout=["C", "CT"], se_ratio=[[0.25], [0.5, 0]])
    assert spec == kc.coatnet_spec((1, 2), (8, 16), (8, 8), layout=("C", "CT"), se_ratio=((0.25,), (0.5, 0)))
    assert hash(spec) == hash(dataclasses.replace(spec, depths=[1, 2]))


def test_narrow_twin_keeps_every_other_field():
    changed = {"depths", "widths", "stem", "hidden_head"}
    for name in list(VARIANTS):
        spec = kc.get_spec(name)
        twin = kc.narrow(name, [1] * len(spec.depths), [32] * len(spec.depths), 8)
        kept = {field.name for field in dataclasses.fields(CoAtNetSpec)} - changed
        assert {field: getattr(twin, field) for field in kept} == {field: getattr(spec, field) for field in kept}


def test_hidden_head_of_a_narrow_twin_follows_the_last_width():
    spec = kc.coatnet_spec((1, 1), (32, 64), 32, hidden_head=512)
    assert kc.narrow(spec, (1, 1), (8, 8), 8).hidden_head is True
    assert kc.narrow("coatnet_0", (1, 1, 1, 1), (8, 8, 32, 32), 8).hidden_head is False


def one_or_one_a_stage(stages, entries):
    return entries | st.tuples(*[entries] * stages)


@st.composite
def specs(draw):
    stages = draw(st.integers(1, 5))
    small = st.integers(1, 64)
    ratio = st.floats(0, 1)
    rows = draw(st.sampled_from([kc.get_spec(name) for name in list(VARIANTS)]))
    convolutions = draw(st.integers(1, 3))
    return dataclasses.replace(
        rows,
        name=draw(st.text(min_size=1)),
        depths=draw(st.tuples(*[small] * stages)),
        widths=draw(st.tuples(*[small] * stages)),
        strides=draw(st.tuples(*[st.integers(1, 4)] * stages)),
        stem=draw(one_or_one_a_stage(convolutions, small)),
        stem_strides=draw(st.tuples(*[st.integers(1, 4)] * convolutions)),
        layout=draw(st.tuples(*[st.text("CT", min_size=1, max_size=4)] * stages)),
        expansion=draw(one_or_one_a_stage(stages, st.floats(0.5, 8))),
        se_ratio=draw(one_or_one_a_stage(stages, ratio | st.lists(ratio, min_size=1, max_size=3))),
        head_dim=draw(one_or_one_a_stage(stages, small)),
        num_heads=draw(one_or_one_a_stage(stages, st.none() | small)),
        hidden_head=draw(st.booleans() | small),
    )


@given(specs())
def test_spec_survives_json(spec):
    again = CoAtNetSpec(**json.loads(json.dumps(dataclasses.asdict(spec))))
    assert again == spec
    assert hash(again) == hash(spec)


@given(specs())
def test_any_spec_is_planned_or_refused_with_name_and_value(spec):
    message = refusal(spec)
    assert message is None or (spec.name in message and "; got " in message)


def refusal(spec):
    """What planning complains of, or None; any error but a ValueError fails the test."""
    try:
        plans = plan_blocks(spec)
    except ValueError as error:
        return str(error)
    return None if len(plans) == sum(spec.depths) else "wrong number of blocks"
