"""Sides of maps, and the sides of images that each family takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_coatnet as kc
from keras_coatnet.coatnet.sizes import check_input_sides, map_sizes, total_stride
from keras_coatnet.coatnet.variants import VARIANTS

pytestmark = pytest.mark.backend_free


def check(name, *sides):
    check_input_sides(kc.get_spec(name), sides)


def last_map(name, *sides):
    return list(map_sizes(kc.get_spec(name), sides).values())[-1]


@pytest.mark.parametrize("name", list(VARIANTS))
def test_every_variant_takes_its_own_size(name):
    spec = kc.get_spec(name)
    check_input_sides(spec, (spec.input_size, spec.input_size))
    assert last_map(name, spec.input_size, spec.input_size) == (spec.input_size // total_stride(spec),) * 2


@pytest.mark.parametrize(
    "name", ["coatnet_0", "coatnet_7", "coatnet_0_paper", "vit_rel_0_paper", "coatnet_tiny200_cttt"]
)
@pytest.mark.parametrize("sides", [(32, 32), (33, 47), (123, 123), (31 + 2, 500)])
def test_default_and_paper_families_take_any_size_from_32_up(name, sides):
    check(name, *sides)


@pytest.mark.parametrize("name", list(VARIANTS))
@pytest.mark.parametrize("sides", [(31, 64), (64, 0), (-32, 32), (1, None)])
def test_smaller_sides_are_refused(name, sides):
    with pytest.raises(ValueError, match=rf"{name} takes images of at least 32 pixels a side; got {sides[0]} x "):
        check(name, *sides)


@pytest.mark.parametrize(
    ("name", "sides", "message"),
    [
        ("coatnet_0_rw", (224, 250), "multiples of 32; got 224 x 250. Nearest to 250: 224 or 256"),
        ("coatnet_0_rw", (225, 224), "multiples of 32; got 225 x 224. Nearest to 225: 224 or 256"),
        ("coatnet_2_rw", (None, 65), "multiples of 32; got any x 65. Nearest to 65: 64 or 96"),
        ("test_coatnet", (50, 64), "multiples of 32; got 50 x 64. Nearest to 50: 32 or 64"),
        ("coatnet_rmlp_1_rw", (225, 224), "multiples of 8; got 225 x 224. Nearest to 225: 224 or 232"),
        ("coatnet_rmlp_1_rw", (33, 224), "multiples of 8; got 33 x 224. Nearest to 33: 32 or 40"),
    ],
)
def test_timm_family_names_the_two_nearest_sizes(name, sides, message):
    with pytest.raises(ValueError, match=message):
        check(name, *sides)


def test_one_model_of_timm_takes_multiples_of_8():
    check("coatnet_rmlp_1_rw", 240, 72)
    assert last_map("coatnet_rmlp_1_rw", 240, 72) == (8, 3)


def test_own_model_whose_pools_drop_what_its_convolutions_keep_is_refused_with_sizes_that_fit():
    spec = kc.coatnet_spec((1, 1), (16, 32), 16, layout="CC", convolution_pool="average", name="own")
    check_input_sides(spec, (64, 96))
    with pytest.raises(
        ValueError, match=r"own takes images that its pools halve .* got 64 x 65. Nearest to 65: 64 or 71"
    ):
        check_input_sides(spec, (64, 65))


def test_map_that_would_vanish_is_refused():
    spec = kc.coatnet_spec((1, 1, 1, 1, 1), 32, 16, family="timm", size_multiple=32, name="own")
    with pytest.raises(ValueError, match=r"own takes images .* got 32 x 64. Nearest to 32: 64"):
        check_input_sides(spec, (32, 64))


@pytest.mark.parametrize("sides", [(64.0, 64), ("64", 64)])
def test_sides_that_are_no_whole_numbers_are_refused(sides):
    with pytest.raises(ValueError, match="Sides of images are whole numbers, or None for any; got 64"):
        check("coatnet_0", *sides)


def test_open_sides_stay_open():
    check("coatnet_0_rw", None, None)
    assert set(map_sizes(kc.get_spec("coatnet_0"), (None, None)).values()) == {(None, None)}


def test_odd_maps_keep_their_remainder():
    sizes = map_sizes(kc.get_spec("coatnet_0"), (123, 33))
    assert [sizes[name] for name in ("stem", "stage1_block1", "stage2_block1", "stage3_block1", "stage4_block2")] == [
        (62, 17),
        (31, 9),
        (16, 5),
        (8, 3),
        (4, 2),
    ]


@given(st.sampled_from(list(VARIANTS)), st.integers(-10, 400), st.integers(32, 400))
def test_any_side_is_taken_or_refused_with_sizes_that_are_taken(name, height, width):
    spec = kc.get_spec(name)
    if height >= 32 and height % spec.size_multiple == width % spec.size_multiple == 0:
        check_input_sides(spec, (height, width))
        return
    with pytest.raises(ValueError, match=f"got {height} x {width}") as refusal:
        check_input_sides(spec, (height, width))
    nearest = str(refusal.value).partition(": ")[2].rstrip(".")
    for side in filter(None, nearest.split(" or ")):
        check_input_sides(spec, (int(side), int(side)))
