"""Every published CoaT, one row each. Sources: arXiv 2104.06399, mlpc-ucsd/CoaT, timm 1.0.

The authors' checkpoint at 384 is one of coat_lite_medium: nothing in a CoaT depends on the size of its images.
"""

from keras_coatnet.coat.spec import CoaTSpec

# name, channels, serial depths, parallel depth, perceptron ratios, published stochastic depth
_ROWS = [
    ("coat_lite_tiny", (64, 128, 256, 320), (2, 2, 2, 2), 0, (8, 8, 4, 4), 0.0),
    ("coat_lite_mini", (64, 128, 320, 512), (2, 2, 2, 2), 0, (8, 8, 4, 4), 0.0),
    ("coat_lite_small", (64, 128, 320, 512), (3, 4, 6, 3), 0, (8, 8, 4, 4), 0.0),
    ("coat_lite_medium", (128, 256, 320, 512), (3, 6, 10, 8), 0, (4, 4, 4, 4), 0.3),
    ("coat_tiny", (152, 152, 152, 152), (2, 2, 2, 2), 6, (4, 4, 4, 4), 0.0),
    ("coat_mini", (152, 216, 216, 216), (2, 2, 2, 2), 6, (4, 4, 4, 4), 0.0),
    ("coat_small", (152, 320, 320, 320), (2, 2, 2, 2), 6, (4, 4, 4, 4), 0.2),
]

VARIANTS = {
    name: CoaTSpec(
        name=name,
        embed_dims=embed_dims,
        serial_depths=serial_depths,
        parallel_depth=parallel_depth,
        mlp_ratios=mlp_ratios,
        drop_path_rate=drop_path_rate,
    )
    for name, embed_dims, serial_depths, parallel_depth, mlp_ratios, drop_path_rate in _ROWS
}
