"""What a run is made of, as rows: the published recipes and our own."""

from keras_coatnet.training.recipes.recipe import Recipe
from keras_coatnet.training.recipes.rows import RECIPES, get_recipe, list_recipes

__all__ = ["RECIPES", "Recipe", "get_recipe", "list_recipes"]
