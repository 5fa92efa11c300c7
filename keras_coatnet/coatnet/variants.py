"""Every published CoAtNet, one row each. Sources: keras_cv_attention_models 1.4, arXiv 2106.04803, timm 1.0."""

from keras_coatnet.coatnet.spec import FAMILY_FIELDS, CoAtNetSpec

S0 = (96, 192, 384, 768)
S2 = (128, 256, 512, 1024)
S3 = (192, 384, 768, 1536)
S5 = (256, 512, 1280, 2048)
NANO = (64, 128, 256, 512)
TINY = (48, 96, 192, 384)

# keras_cv_attention_models: name, depths, widths, stem, published stochastic depth, other fields
_DEFAULT = [
    ("coatnet_t", (3, 4, 6, 3), NANO, 64, 0.0, {}),
    ("coatnet_0", (2, 3, 5, 2), S0, 64, 0.0, {}),
    ("coatnet_1", (2, 6, 14, 2), S0, 64, 0.3, {}),
    ("coatnet_2", (2, 6, 14, 2), S2, 128, 0.5, {}),
    ("coatnet_3", (2, 6, 14, 2), S3, 192, 0.7, {}),
    ("coatnet_4", (2, 12, 28, 2), S3, 192, 0.2, {}),
    ("coatnet_5", (2, 12, 28, 2), S5, 192, 0.2, {"head_dim": 64}),
    ("coatnet_6", (2, 4, 8, 42, 2), (192, 384, 768, 1536, 2048), 192, 0.2, {"head_dim": 128}),
    ("coatnet_7", (2, 4, 8, 42, 2), (256, 512, 1024, 2048, 3072), 192, 0.2, {"head_dim": 128}),
    # The experiments of its README: which norms open the blocks, with an activation or not, V2 or V1 residual.
    (
        "coatnet_0_exp8",
        (2, 3, 5, 2),
        S0,
        64,
        0.0,
        {
            "transformer_norm": "batch",
            "convolution_prenorm_activation": True,
            "transformer_prenorm_activation": True,
            "prenorm_shortcut": True,
        },
    ),
    ("coatnet_0_exp11", (2, 3, 5, 2), S0, 64, 0.0, {"transformer_norm": "batch", "prenorm_shortcut": True}),
    ("coatnet_0_exp15", (2, 3, 5, 2), S0, 64, 0.0, {"prenorm_shortcut": True}),
    ("coatnet_0_exp16", (2, 3, 5, 2), S0, 64, 0.0, {}),
]

# The paper: name, depths, widths, stem, published stochastic depth (table 10; 0 where none is given), other fields
_PAPER = [
    ("coatnet_0_paper", (2, 3, 5, 2), S0, 64, 0.2, {}),
    ("coatnet_1_paper", (2, 6, 14, 2), S0, 64, 0.3, {}),
    ("coatnet_2_paper", (2, 6, 14, 2), S2, 128, 0.5, {}),
    ("coatnet_3_paper", (2, 6, 14, 2), S3, 192, 0.7, {}),
    ("coatnet_4_paper", (2, 12, 28, 2), S3, 192, 0.7, {}),
    ("coatnet_5_paper", (2, 12, 28, 2), S5, 192, 0.2, {"head_dim": 64}),
    ("coatnet_6_paper", (2, 4, 8, 42, 2), (192, 384, 768, 1536, 2048), 192, 0.0, {"head_dim": 128}),
    # S4 twice as wide as S3, as in the other models: the one that reaches the published 1.47B.
    ("coatnet_6_paper_wide", (2, 4, 8, 42, 2), (192, 384, 768, 1536, 3072), 192, 0.0, {"head_dim": 128}),
    ("coatnet_7_paper", (2, 4, 8, 42, 2), (256, 512, 1024, 2048, 3072), 192, 0.0, {"head_dim": 128}),
    # Section 2.2, the layout study, at the size of CoAtNet-0.
    ("coatnet_0_paper_cccc", (2, 3, 5, 2), S0, 64, 0.2, {"layout": "CCCC"}),
    ("coatnet_0_paper_ccct", (2, 3, 5, 2), S0, 64, 0.2, {"layout": "CCCT"}),
    ("coatnet_0_paper_cttt", (2, 3, 5, 2), S0, 64, 0.2, {"layout": "CTTT"}),
    # Section 4.3, the ablations: no relative bias, bias behind the softmax, heads of 64, LayerNorm in MBConv, splits of
    # stages.
    ("coatnet_0_paper_nobias", (2, 3, 5, 2), S0, 64, 0.2, {"relative_position": None}),
    ("coatnet_0_paper_post", (2, 3, 5, 2), S0, 64, 0.2, {"bias_place": "after_softmax"}),
    ("coatnet_0_paper_head64", (2, 3, 5, 2), S0, 64, 0.2, {"head_dim": 64}),
    (
        "coatnet_0_paper_ln",
        (2, 3, 5, 2),
        S0,
        64,
        0.2,
        {"convolution_norm": "layer", "convolution_norm_epsilon": 1e-5},
    ),
    ("coatnet_2_paper_v1", (2, 2, 18, 2), S2, 128, 0.5, {}),
    ("coatnet_2_paper_v2", (2, 8, 12, 2), S2, 128, 0.5, {}),
    ("coatnet_3_paper_v1", (2, 2, 18, 2), S3, 192, 0.7, {}),
]

_ONE_RESOLUTION = {"layout": "T", "strides": (1,), "stem_strides": (16,), "stem_kernel_sizes": (16,)}
_SMALL_DATA = {"hidden_head": False, "num_classes": 200}

# Small ones for small data, of the paper's blocks: name, depths, widths, stem, other fields
_TINY = [
    ("coatnet_tiny200_cccc", (1, 1, 1, 1), TINY, 32, {"layout": "CCCC"}),
    ("coatnet_tiny200_ccct", (1, 1, 1, 1), TINY, 32, {"layout": "CCCT"}),
    ("coatnet_tiny200_cctt", (1, 1, 1, 1), TINY, 32, {}),
    ("coatnet_tiny200_cttt", (1, 1, 1, 1), TINY, 32, {"layout": "CTTT"}),
    ("coatnet_tiny200_ccct_1131", (1, 1, 3, 1), TINY, 32, {"layout": "CCCT"}),
    # For pictures of 64 pixels; no row of a paper's.
    ("coatnet_tiny64", (1, 2, 3, 1), TINY, 32, {"strides": (2, 2, 1, 2), "stem_strides": (2,), "input_size": 64}),
    ("vit_rel_tiny200", (5,), (192,), (192,), _ONE_RESOLUTION),
]

# timm: traits that several models share.
_BIASED = {
    "convolution_prenorm_activation": False,
    "convolution_shortcut_bias": True,
    "convolution_projection_bias": True,
}
_EARLY_RELU = {"se_place": "before_norm", "se_activation": "relu", "transformer_shortcut_bias": False}
_LATE_RELU = {"se_activation": "relu"}
_MLP_384 = {"relative_position": "mlp", "position_hidden_width": 384}
_MLP_512 = {"relative_position": "mlp", "position_hidden_width": 512}
_SCALED = {"transformer_layer_scale": 1e-6}
_PAPER_LIKE = {
    **_BIASED,
    "activation": "gelu",
    "expansion_base": "output",
    "se_base": "output",
    "attention_width": "output",
    "head_norm": "after_pool",
    "hidden_head": True,
}

# timm: name (without the size), depths, widths, stem, other fields
_TIMM = [
    ("coatnet_pico_rw", (2, 3, 5, 2), NANO, (32, 64), _BIASED),
    ("coatnet_nano_rw", (3, 4, 6, 3), NANO, (32, 64), {**_BIASED, "stride_in": "pool"}),
    ("coatnet_0_rw", (2, 3, 7, 2), S0, (32, 64), {**_EARLY_RELU, "stride_in": "pool"}),
    ("coatnet_1_rw", (2, 6, 14, 2), S0, (32, 64), _EARLY_RELU),
    ("coatnet_2_rw", (2, 6, 14, 2), S2, (64, 128), {}),
    ("coatnet_3_rw", (2, 6, 14, 2), S3, (96, 192), _SCALED),
    ("coatnet_bn_0_rw", (2, 3, 7, 2), S0, (32, 64), {**_EARLY_RELU, "transformer_norm": "batch"}),
    ("coatnet_rmlp_nano_rw", (3, 4, 6, 3), NANO, (32, 64), {**_BIASED, **_MLP_384}),
    ("coatnet_rmlp_0_rw", (2, 3, 7, 2), S0, (32, 64), {**_LATE_RELU, **_MLP_512}),
    (
        "coatnet_rmlp_1_rw",
        (2, 6, 14, 2),
        S0,
        (32, 64),
        {
            **_EARLY_RELU,
            **_MLP_384,
            "stride_in": "pool",
            # Its convolution branch keeps the average: the two settings are apart in timm, and only one was changed.
            "convolution_pool": "max3x3",
            "transformer_pool": "max3x3",
            "size_multiple": 8,
        },
    ),
    ("coatnet_rmlp_1_rw2", (2, 6, 14, 2), S0, (32, 64), {**_LATE_RELU, **_MLP_512}),
    ("coatnet_rmlp_2_rw", (2, 6, 14, 2), S2, (64, 128), {**_MLP_512, **_SCALED}),
    ("coatnet_rmlp_3_rw", (2, 6, 14, 2), S3, (96, 192), {**_MLP_512, **_SCALED}),
    (
        "coatnet_nano_cc",
        (3, 4, 6, 3),
        NANO,
        (32, 64),
        {**_LATE_RELU, "layout": ("C", "C", "CT", "CT"), "stride_in": "pool"},
    ),
    (
        "coatnext_nano_rw",
        (3, 4, 6, 3),
        NANO,
        (32, 64),
        {
            "convolution_block": "convnext",
            "kernel_size": 7,
            "activation": "gelu",
            "convolution_norm": "layer",
            "convolution_norm_epsilon": 1e-6,
            "convolution_shortcut_bias": True,
            "convolution_layer_scale": 1e-5,
            "initialization": "normal_convnext",
        },
    ),
    ("coatnet_0_timm", (2, 3, 5, 2), S0, 64, _PAPER_LIKE),
    ("coatnet_1_timm", (2, 6, 14, 2), S0, 64, _PAPER_LIKE),
    ("coatnet_2_timm", (2, 6, 14, 2), S2, 128, _PAPER_LIKE),
    ("coatnet_3_timm", (2, 6, 14, 2), S3, 192, _PAPER_LIKE),
    ("coatnet_4_timm", (2, 12, 28, 2), S3, 192, _PAPER_LIKE),
    ("coatnet_5_timm", (2, 12, 28, 2), S5, 192, _PAPER_LIKE),
    ("test_coatnet", (1, 1, 2, 1), (32, 64, 96, 128), (16, 32), {**_BIASED, "stride_in": "pool", "input_size": 160}),
]


def _row(family, name, depths, widths, stem, fields):
    fields = {**FAMILY_FIELDS[family], **fields}
    if len(depths) == 5:
        # CoAtNet-6 and 7: a third of S3 is convolutional; the attention that follows keeps the resolution.
        fields = {"layout": "CCCTT", "strides": (2, 2, 2, 1, 2), **fields}
    return CoAtNetSpec(name=name, family=family, depths=depths, widths=widths, stem=stem, **fields)


def _rows():
    for name, depths, widths, stem, rate, fields in _DEFAULT:
        yield _row("coatnet", name, depths, widths, stem, {"drop_path_rate": rate, **fields})
    for name, depths, widths, stem, rate, fields in _PAPER:
        yield _row("paper", name, depths, widths, stem, {"drop_path_rate": rate, **fields})
    yield _row("paper", "vit_rel_0_paper", (14,), (384,), (384,), {"drop_path_rate": 0.2, **_ONE_RESOLUTION})
    for name, depths, widths, stem, fields in _TINY:
        yield _row("paper", name, depths, widths, stem, {**_SMALL_DATA, **fields})
    for name, depths, widths, stem, fields in _TIMM:
        yield _row("timm", name, depths, widths, stem, fields)


VARIANTS = {spec.name: spec for spec in _rows()}
