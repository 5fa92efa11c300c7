"""A model of two scales out of the layers that have several inputs or outputs."""

import keras

from keras_coatnet import layers
from keras_coatnet.layers.initializers import Normal

SIDES = (6, 10)
BLOCK = {
    "num_heads": 4,
    "expansion": 2,
    "activation": "relu",
    "norm": ("layer", "standardize"),
    "norm_epsilon": 1e-5,
    "qkv_bias": False,
    "drop_path_rate": 0.2,
    "attention_dropout_rate": 0.1,
    "dropout_rate": 0.1,
    "kernel_initializer": Normal(0.3),
}
WINDOWS = {"num_heads": 4, "windows": ((3, 1), (5, 3)), "kernel_initializer": Normal(0.3)}
OPTIONS = {
    "as_published": ({"num_heads": 8}, {"num_heads": 8}),
    "every_option": (WINDOWS, BLOCK),
}


def make(windows, block, sides=SIDES, dtype=None):
    """Two scales: serial blocks at the first, then a parallel block over both."""
    inputs = keras.Input((*sides, 8))
    maps, tokens, windows_of = [inputs], [], []
    maps.append(layers.PatchEmbedding(8, dtype=dtype)(inputs))
    for number, image_map in enumerate(maps, start=1):
        tokens.append(layers.ClassToken(initializer="ones", dtype=dtype)(image_map))
        relative = layers.ConvRelativePosition(**windows, dtype=dtype, name=f"relative{number}")
        windows_of.append(relative(image_map))
    for number in range(2):
        serial = layers.SerialBlock(**block, dtype=dtype, name=f"serial{number}")
        maps[0], tokens[0] = serial(maps[0], tokens[0], windows_of[0])
    parallel = layers.ParallelBlock(scales=(1, 2), **block, dtype=dtype, name="parallel")
    maps, tokens = parallel(maps, tokens, windows_of)
    return keras.Model(inputs, [*maps, *tokens])
