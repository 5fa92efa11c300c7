"""Counts against published figures, built models and PyTorch's own counter."""

import dataclasses
import tracemalloc

import numpy as np
import pytest
from narrow_twins import forms, narrow_twin
from published_counts import DEFAULT, DERIVED, PAPER, SMALL_DATA, STUDIES, TIMM, WITHIN_FIVE_PERCENT
from running import BACKEND, image, run

import keras_coatnet as kc
from keras_coatnet.coatnet.variants import VARIANTS
from keras_coatnet.layers.fast.forward import plain_forms

backend_free = pytest.mark.backend_free


def billions(macs, digits=2):
    return round(macs / 1e9, digits)


def with_stride_in(name, place):
    return dataclasses.replace(kc.get_spec(name), stride_in=place)


@backend_free
@pytest.mark.parametrize(("name", "parameters", "depthwise", "expand"), DEFAULT)
def test_default_family_counts_what_keras_cv_attention_models_does(name, parameters, depthwise, expand):
    sizes = (160, 224, 384, 512)
    counts = [kc.count(name, (size, size)) for size in sizes]
    expanded = [kc.count(with_stride_in(name, "expand"), (size, size, 3)) for size in sizes]
    assert tuple(count.parameters for count in counts) == parameters
    assert tuple(billions(count.macs) for count in counts) == depthwise
    assert tuple(billions(count.macs) for count in expanded) == expand


@backend_free
@pytest.mark.parametrize(("name", "size", "trainable", "statistics", "expand", "depthwise"), PAPER)
def test_paper_family_counts_what_the_paper_reads(name, size, trainable, statistics, expand, depthwise):
    count = kc.count(name, (size, size))
    assert count[:2] == (trainable, trainable + statistics)
    assert billions(count.macs) == expand
    assert billions(kc.count(with_stride_in(name, "depthwise"), (size, size)).macs) == depthwise


@backend_free
def test_multiply_adds_of_the_papers_smallest_are_exact():
    assert kc.count("coatnet_0_paper").macs == 4_141_888_512
    assert kc.count(with_stride_in("coatnet_0_paper", "depthwise")).macs == 4_546_507_776


@backend_free
@pytest.mark.parametrize(("name", "trainable", "macs", "digits"), STUDIES)
def test_layouts_and_splits_count_what_the_paper_reads(name, trainable, macs, digits):
    count = kc.count(name)
    assert (count.trainable, billions(count.macs, digits)) == (trainable, macs)


@backend_free
@pytest.mark.parametrize("name", SMALL_DATA)
def test_small_data_variant_counts_its_published_number(name):
    assert kc.count(name).trainable == SMALL_DATA[name]


@backend_free
@pytest.mark.parametrize(("name", "size", "trainable", "many_classes", "statistics", "macs"), TIMM)
def test_timm_family_counts_what_timm_does(name, size, trainable, many_classes, statistics, macs):
    count = kc.count(name, (size, size))
    assert count[:2] == (trainable, trainable + statistics)
    assert billions(count.macs) == macs
    assert kc.count(dataclasses.replace(kc.get_spec(name), num_classes=11821), (size, size)).trainable == many_classes


@backend_free
@pytest.mark.parametrize("name", DERIVED)
def test_ablation_differs_by_what_it_leaves_out(name):
    assert kc.count(name).trainable == DERIVED[name]


@backend_free
@pytest.mark.parametrize("name", WITHIN_FIVE_PERCENT)
def test_one_resolution_models_are_as_large_as_their_rivals(name):
    assert kc.count(name).trainable == pytest.approx(WITHIN_FIVE_PERCENT[name], rel=0.05)


@backend_free
def test_every_variant_has_a_published_or_derived_count():
    published = {row[0] for row in (*DEFAULT, *PAPER, *STUDIES, *TIMM)}
    assert published | {*SMALL_DATA, *DERIVED, *WITHIN_FIVE_PERCENT} == set(VARIANTS)


@backend_free
def test_counting_the_largest_variant_allocates_next_to_nothing():
    kc.count("coatnet_7")
    tracemalloc.start()
    try:
        assert kc.count("coatnet_7").parameters == 2_411_053_848
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@backend_free
@pytest.mark.parametrize(
    ("input_shape", "message"),
    [
        ((None, None, 3), r"number above 0; got \(None, None, 3\)"),
        ((224, None), r"number above 0; got \(224, None\)"),
        ((224, 224, 0), r"number above 0; got \(224, 224, 0\)"),
        ((224.0, 224.0, 3), r"number above 0; got \(224.0, 224.0, 3\)"),
        ((224,), r"\(H, W, C\) or \(H, W\); got \(224,\)"),
        ((1, 224, 224, 3), r"\(H, W, C\) or \(H, W\); got \(1, 224, 224, 3\)"),
        ((31, 224), r"at least 32 pixels a side; got 31 x 224"),
    ],
)
def test_shape_that_cannot_be_counted_is_refused(input_shape, message):
    with pytest.raises(ValueError, match=message):
        kc.count("coatnet_0", input_shape)


@backend_free
def test_size_that_timm_refuses_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"multiples of 32; got 224 x 230. Nearest to 230: 224 or 256"):
        kc.count("coatnet_0_rw", (224, 230))


@backend_free
def test_list_and_channels_are_taken():
    extra = 9 * 64
    assert kc.count("coatnet_0", [224, 224, 4]).trainable == kc.count("coatnet_0").trainable + extra


@pytest.mark.parametrize("name", ["coatnet_0", "coatnet_0_paper", "coatnet_0_rw"])
def test_without_classes_the_model_without_a_top_is_counted(name):
    twin = dataclasses.replace(narrow_twin(name), num_classes=0)
    model = kc.CoAtNet(twin, input_shape=(64, 96, 3), include_top=False)
    assert (built_count(model)[0], without_seeds(model)) == kc.count(twin, (64, 96))[:2]


def built_count(model):
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    return trainable, model.count_params()


def without_seeds(model):
    """Seed states of dropout are variables, but no parameters of the architecture."""
    return sum(int(np.prod(weight.shape)) for weight in model.weights if "seed" not in weight.name)


@pytest.mark.parametrize("name", list(VARIANTS))
def test_count_of_a_narrow_twin_is_that_of_the_built_model(name):
    twin = narrow_twin(name, extra_depth=1)
    model = kc.CoAtNet(twin, input_shape=(64, 96, 5))
    count = kc.count(twin, (64, 96, 5))
    assert built_count(model)[0] == count.trainable
    assert without_seeds(model) == count.parameters


SMALL = [name for name in list(VARIANTS) if kc.count(name).parameters < 4_000_000]


@pytest.mark.parametrize("name", SMALL)
def test_count_of_a_small_variant_is_that_of_the_built_model(name):
    model = kc.CoAtNet(name)
    assert (built_count(model)[0], without_seeds(model)) == kc.count(name)[:2]


OPTIONS = {
    "activation_first": {"activation_first": True},
    "expand": {"stride_in": "expand"},
    "pool": {"stride_in": "pool"},
    "no squeeze": {"se_ratio": 0},
    "squeeze by block": {"se_ratio": ((0.25,), (0.5, 0), 0.25, 0.25)},
    "same padding": {"padding": "same"},
    "hidden head": {"hidden_head": 24},
    "own heads": {"num_heads": 3, "head_dim": 8},
    "expansion by stage": {"expansion": (2, 3, 4, 1.5)},
    "three convolutions": {"stem": (4, 8, 8), "stem_strides": (2, 1, 1), "stem_kernel_sizes": (3, 3, 5)},
    "layer scale": {"transformer_layer_scale": 1e-6},
}


def own_spec(fields):
    return dataclasses.replace(narrow_twin("coatnet_0", extra_depth=1), depths=(1, 2, 1, 2), **fields)


@pytest.mark.parametrize("fields", OPTIONS.values(), ids=OPTIONS)
def test_count_follows_every_option_of_a_spec(fields):
    spec = own_spec(fields)
    model = kc.CoAtNet(spec, input_shape=(33, 47, 3))
    assert (built_count(model)[0], without_seeds(model)) == kc.count(spec, (33, 47))[:2]


only_pytorch = pytest.mark.skipif(BACKEND != "torch", reason="only PyTorch counts the multiply-adds of what it runs")


@only_pytorch
def test_multiply_adds_of_every_form_are_those_pytorch_runs():
    specs = {name: narrow_twin(name) for name in forms()}
    assert run_and_count(specs, (32, 64)) == {name: kc.count(spec, (32, 64)).macs for name, spec in specs.items()}


@only_pytorch
def test_multiply_adds_of_every_option_at_odd_sizes_are_those_pytorch_runs():
    specs = {name: own_spec(fields) for name, fields in OPTIONS.items()}
    assert run_and_count(specs, (33, 47)) == {name: kc.count(spec, (33, 47)).macs for name, spec in specs.items()}


def run_and_count(specs, sides):
    """Multiply-adds that PyTorch counts while each model runs one image, in the plain forms, which it all knows."""
    from torch.utils.flop_counter import FlopCounterMode

    counted = {}
    for name, spec in specs.items():
        model = kc.CoAtNet(spec, input_shape=(*sides, 3))
        with plain_forms(), FlopCounterMode(display=False) as flops:
            run(model, image((1, *sides, 3)))
        counted[name] = flops.get_total_flops() // 2
    return counted
