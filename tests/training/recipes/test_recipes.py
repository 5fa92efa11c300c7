"""Recipes as rows: published numbers, overrides one field at a time, checks."""

import dataclasses

import pytest

from keras_coatnet.images.preprocess import CENTER, SQUASH
from keras_coatnet.training.recipes import RECIPES, get_recipe, list_recipes

pytestmark = pytest.mark.backend_free


def test_all_recipes_are_listed_by_name():
    assert list_recipes() == [recipe.name for recipe in RECIPES]
    assert {"paper_in1k", "paper_finetune", "paper_finetune_in21k", "paper_finetune_jft", "paper_in21k"} <= set(
        list_recipes()
    )
    assert {"paper_jft", "a3_160", "a3_224", "finetune_224", "transfer", "tiny_imagenet"} <= set(list_recipes())
    assert {"coat_lite_tiny", "coat_small", "coat_lite_medium", "coat_lite_medium_384"} <= set(list_recipes())


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_recipe_says_where_it_is_from_and_what_came_out(recipe):
    assert recipe.source
    assert recipe.result
    assert recipe.published or recipe.source.startswith("ours")


@pytest.mark.parametrize(
    ("name", "model", "expected"),
    [
        ("paper_in1k", "coatnet_0_paper", {"drop_path_rate": 0.2, "rand_augment_magnitude": 15.0}),
        ("paper_in1k", "coatnet_rmlp_2_rw", {"drop_path_rate": 0.5}),
        ("paper_finetune", "coatnet_3", {"drop_path_rate": 0.7, "rand_augment_magnitude": 20.0}),
        ("paper_in21k", "coatnet_4_paper", {"drop_path_rate": 0.7, "rand_augment_layers": 0}),
        ("paper_in21k_ptra", "coatnet_4_paper", {"rand_augment_layers": 2, "rand_augment_magnitude": 5.0}),
        ("paper_finetune_in21k", "coatnet_2_paper", {"drop_path_rate": 0.3, "mixup": 0.0, "batch_size": 1024}),
        ("paper_finetune_in21k", "coatnet_3_paper", {"drop_path_rate": 0.5}),
        ("paper_finetune_in21k", "coatnet_4_paper", {"drop_path_rate": 0.7}),
        ("paper_jft", "coatnet_4_paper", {"drop_path_rate": 0.1, "learning_rate": 5e-4}),
        ("paper_jft", "coatnet_3_paper", {"drop_path_rate": 0.0, "learning_rate": 1e-3}),
        ("paper_finetune_jft", "coatnet_3_paper", {"drop_path_rate": 0.1, "rand_augment_magnitude": 5.0}),
        ("paper_finetune_jft", "coatnet_4_paper", {"drop_path_rate": 0.3}),
        ("paper_finetune_jft", "coatnet_5_paper", {"drop_path_rate": 0.2}),
        ("paper_in1k", "coatnet_tiny200_ccct_1131", {"drop_path_rate": None}),
        ("a3_160", "coatnet_0", {"drop_path_rate": 0.0, "rand_augment_magnitude": 6.0, "target_threshold": 0.2}),
        ("coat_lite_tiny", "coat_mini", {"drop_path_rate": 0.0, "warmup_epochs": 5.0, "clip_norm": None}),
        ("coat_small", "coat_small", {"drop_path_rate": 0.2, "warmup_epochs": 20.0, "clip_norm": 5.0}),
        ("coat_lite_medium", "coat_lite_medium", {"drop_path_rate": 0.3, "mixup_each": "batch", "repeats": 3}),
        ("coat_lite_medium_384", "coat_lite_medium", {"drop_path_rate": 0.2, "weight_decay": 1e-8, "erasing": 0.25}),
    ],
)
def test_values_of_one_model_are_those_of_the_source(name, model, expected):
    recipe = get_recipe(name).for_model(model)
    assert {field: getattr(recipe, field) for field in expected} == expected


@pytest.mark.parametrize(
    ("name", "epochs", "batch_size", "image_size", "learning_rate"),
    [
        ("paper_in1k", 300, 4096, 224, 1e-3),
        ("paper_finetune", 30, 512, 384, 5e-5),
        ("paper_in21k", 90, 4096, 224, 1e-3),
        ("paper_jft", 14, 4096, 224, 1e-3),
        ("paper_finetune_jft", 30, 512, 512, 5e-5),
        ("a3_160", 105, 128, 160, 2e-3),
        ("finetune_224", 37, 64, 224, 5e-4),
        ("a3_224", 305, 128, 224, 2e-3),
        ("coat_lite_tiny", 300, 2048, 224, 2e-3),
        ("coat_small", 300, 1024, 224, 1e-3),
        ("coat_lite_medium", 300, 1024, 224, 1e-3),
        ("coat_lite_medium_384", 6, 256, 384, 2.5e-6),
    ],
)
def test_published_runs(name, epochs, batch_size, image_size, learning_rate):
    recipe = get_recipe(name)
    assert (recipe.epochs, recipe.batch_size, recipe.image_size) == (epochs, batch_size, image_size)
    assert recipe.learning_rate == learning_rate


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_values_of_every_size_are_possible(recipe):
    for size in range(8):
        assert recipe.for_model(f"coatnet_{size}_paper").name == recipe.name


def test_one_field_is_replaced_and_the_row_stays():
    recipe = get_recipe("a3_160")
    assert recipe.replace(epochs=10) == dataclasses.replace(recipe, epochs=10)
    assert get_recipe("a3_160").epochs == 105


def test_fields_are_overridden_as_the_shell_writes_them():
    recipe = get_recipe("paper_in1k").override("epochs=3", "clip_norm=none", "crop_scale=0.3,1", "optimizer=lamb")
    assert (recipe.epochs, recipe.clip_norm, recipe.crop_scale, recipe.optimizer) == (3, None, (0.3, 1), "lamb")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epoch": 3}, r"no field 'epoch'\. Nearest: epochs"),
        ({"epochs": 0}, "epochs must be a whole number from 1 up; got 0"),
        ({"epochs": 2.5}, r"epochs must be a whole number from 1 up; got 2\.5"),
        ({"frozen_stages": True}, "frozen_stages must be a whole number from 0 up; got True"),
        ({"rematerialize": 1}, "rematerialize must be True or False; got 1"),
        ({"optimizer": "adam"}, "optimizer must be one of 'adamw'.*got 'adam'. Nearest: 'adamw'"),
        ({"learning_rate": -1}, "learning_rate must be a number from .* got -1"),
        ({"learning_rate": None}, "learning_rate must be a number.*got None"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number.*got nan"),
        ({"label_smoothing": 1.0}, r"label_smoothing must be a number from 0 to 0\.999; got 1\.0"),
        ({"clip_norm": "x"}, "clip_norm must be a number from .*, or None; got 'x'"),
        ({"crop_scale": (0.5, 0.1)}, r"crop_scale must be two numbers above 0, the least first, to 1; got \(0\.5"),
        ({"crop_scale": 0.5}, "crop_scale must be two numbers"),
        ({"warmup_epochs": 5.0}, "warmup_epochs or warmup_steps, not both"),
        ({"auto_augment": "original"}, "auto_augment or RandAugment, not both"),
        ({"auto_augment": "orginal"}, "auto_augment must be one of None, 'original', 'v0'; got 'orginal'. Nearest"),
        ({"accumulation": 3}, "batch_size must be a multiple of accumulation; got 4096 and 3"),
    ],
)
def test_impossible_values_are_refused_with_what_is_allowed(fields, message):
    with pytest.raises(ValueError, match=message):
        get_recipe("paper_in1k").replace(**fields)


def test_override_without_a_value_is_refused():
    with pytest.raises(ValueError, match="must be FIELD=VALUE; got 'epochs'"):
        get_recipe("paper_in1k").override("epochs")


def test_unknown_recipe_names_its_neighbours():
    with pytest.raises(ValueError, match=r"no recipe 'paper_1k'\. Nearest: paper_in1k"):
        get_recipe("paper_1k")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_smoke_form_is_small_and_otherwise_the_same(recipe):
    smoke = recipe.smoke()
    assert smoke.epochs * smoke.batch_size * smoke.image_size <= 2 * 4 * 64
    same = ("optimizer", "loss", "schedule", "rand_augment_layers", "mixup", "cutmix", "ema_decay", "clip_norm")
    assert {name: getattr(smoke, name) for name in same} == {name: getattr(recipe, name) for name in same}


def test_evaluation_crops_the_centre_or_squashes_the_whole():
    assert get_recipe("a3_160").preprocessing().crop_mode == CENTER
    assert get_recipe("a3_160").preprocessing().crop == 0.95
    assert get_recipe("paper_finetune").preprocessing().crop_mode == SQUASH
