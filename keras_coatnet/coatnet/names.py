"""Where timm and keras_cv_attention_models keep each tensor of a CoAtNet."""

import json
import math
import re

from keras_coatnet.coatnet.plan import plan_blocks
from keras_coatnet.weights.name_table import KERAS_2, TORCH, NameTable
from keras_coatnet.weights.transforms import qkv_by_kind, torch_depthwise

# Rows: our layer, timm's layer, kind. Dead rows (a model without that layer or bias) are passed over.
TIMM_STEM = [
    ("stem/convolution1", "stem.conv1", "convolution"),
    ("stem/norm1", "stem.norm1", "norm"),
    ("stem/convolution2", "stem.conv2", "convolution"),
]
TIMM_BLOCKS = {
    "mbconv": [
        ("shortcut", "{block}.shortcut.expand", "pointwise"),
        ("prenorm", "{block}.pre_norm", "norm"),
        ("expansion", "{block}.conv1_1x1", "pointwise"),
        ("expansion_norm", "{block}.norm1", "norm"),
        ("depthwise", "{block}.conv2_kxk", "depthwise"),
        ("squeeze_excite/reduce", "{block}.{squeeze_excite}.fc1", "pointwise"),
        ("squeeze_excite/expand", "{block}.{squeeze_excite}.fc2", "pointwise"),
        ("depthwise_norm", "{block}.norm2", "norm"),
        ("projection", "{block}.conv3_1x1", "pointwise"),
    ],
    "convnext": [
        ("shortcut", "{block}.shortcut.expand", "pointwise"),
        ("depthwise", "{block}.conv_dw", "depthwise"),
        ("norm", "{block}.norm", "norm"),
        ("mlp_expansion", "{block}.mlp.fc1", "pointwise"),
        ("mlp_projection", "{block}.mlp.fc2", "pointwise"),
        ("layer_scale", "{block}.ls", "scale"),
    ],
    "transformer": [
        ("shortcut", "{block}.shortcut.expand", "pointwise"),
        ("attention_norm", "{block}.{attention_norm}", "norm"),
        ("attention/qkv", "{block}.attn.qkv", "pointwise"),
        ("attention/relative_position_bias", "{block}.attn.rel_pos", "table"),
        ("attention/relative_position_bias/hidden", "{block}.attn.rel_pos.mlp.fc1", "dense"),
        ("attention/relative_position_bias/output_values", "{block}.attn.rel_pos.mlp.fc2", "dense"),
        ("attention/projection", "{block}.attn.proj", "pointwise"),
        ("attention_scale", "{block}.ls1", "scale"),
        ("mlp_norm", "{block}.norm2", "norm"),
        ("mlp_expansion", "{block}.mlp.fc1", "pointwise"),
        ("mlp_projection", "{block}.mlp.fc2", "pointwise"),
        ("mlp_scale", "{block}.ls2", "scale"),
    ],
}
TIMM_HEAD = {
    "before_pool": [("head_norm", "norm", "norm"), ("predictions", "head.fc", "dense")],
    "after_pool": [
        ("head_norm", "head.norm", "norm"),
        ("pre_logits", "head.pre_logits.fc", "dense"),
        ("predictions", "head.fc", "dense"),
    ],
    None: [("predictions", "head.fc", "dense")],
}

# Rows: our layer, the Keras 2 layer, kind; in the order in which keras_cv_attention_models' own files list them.
KECAM_STEM = [
    ("stem/convolution1", "stem_1_conv", "convolution"),
    ("stem/norm1", "stem_1_bn", "norm"),
    ("stem/convolution2", "stem_2_conv", "convolution"),
]
KECAM_BLOCKS = {
    "mbconv": [
        ("prenorm", "{block}preact_bn", "norm"),
        ("expansion", "{block}expand_conv", "pointwise"),
        ("expansion_norm", "{block}expand_bn", "norm"),
        ("depthwise", "{block}MB_dw_conv", "depthwise"),
        ("depthwise_norm", "{block}MB_dw_bn", "norm"),
        ("squeeze_excite/reduce", "{block}se_1_conv", "pointwise"),
        ("squeeze_excite/expand", "{block}se_2_conv", "pointwise"),
        ("shortcut", "{block}shortcut_conv", "pointwise"),
        ("projection", "{block}MB_pw_conv", "pointwise"),
    ],
    "transformer": [
        ("attention_norm", "{block}preact_{norm}", "norm"),
        ("attention/qkv", "{block}mhsa_qkv_conv", "qkv"),
        ("attention/relative_position_bias", "{block}mhsa_pos_emb", "table"),
        ("shortcut", "{block}shortcut_conv", "pointwise"),
        ("attention/projection", "{block}mhsa_output", "dense"),
        ("mlp_norm", "{block}ffn_preact_{norm}", "norm"),
        ("mlp_expansion", "{block}ffn_1_conv", "pointwise"),
        ("mlp_projection", "{block}ffn_2_conv", "pointwise"),
    ],
}
KECAM_HEAD = [("predictions", "predictions", "dense")]


def timm_groups(spec):
    yield "", TIMM_STEM, {}
    for block in plan_blocks(spec):
        fields = {
            "block": f"stages.{block.stage - 1}.blocks.{block.number - 1}",
            "squeeze_excite": "se_early" if spec.se_place == "before_norm" else "se",
            # Behind a stride, timm pairs the norm with the pool.
            "attention_norm": "norm1.norm" if block.strides > 1 else "norm1",
            "depthwise": torch_depthwise(block.width // block.input_width if block.kind == "convnext" else 1),
        }
        yield f"{block.name}/", TIMM_BLOCKS[block.kind], fields
    yield "", TIMM_HEAD[spec.head_norm], {}


def kecam_groups(spec):
    yield "", KECAM_STEM, {}
    for block in plan_blocks(spec):
        fields = {
            "block": f"stack_{block.stage}_block_{block.number}_",
            "norm": "bn" if spec.transformer_norm == "batch" else "ln",
            "qkv": qkv_by_kind(block.num_heads, block.head_dim),
        }
        yield f"{block.name}/", KECAM_BLOCKS.get(block.kind, []), fields
    yield "", KECAM_HEAD, {}


FOLDED = "its norms are folded away (`fuse`), and the peers' models have them. Save the model as it was trained"


def timm_cannot_hold(spec, grids):
    if spec.folded:
        return FOLDED
    if spec.family == "timm":
        return None
    return (
        f"{spec.name} is of the {spec.family} family, whose blocks timm does not build (padding, pools and epsilons "
        "differ)"
    )


def kecam_cannot_hold(spec, grids):
    if spec.folded:
        return FOLDED
    if spec.family != "coatnet":
        return (
            f"{spec.name} is of the {spec.family} family, whose blocks keras_cv_attention_models does not build "
            "(widths, biases and pools differ)"
        )
    for height, width in grids:
        if height != width:
            return (
                f"its index of relative positions is scrambled on non-square maps, so no table of a {height}x{width} "
                "map means the same there"
            )
    return None


def refuse_kecam_file(file, spec):
    return _old_value_width(file, spec) or _table_of_a_non_square_map(file)


def _old_value_width(file, spec):
    """Files from before 2022-04-24 gave the values the block's output width, split over the input's heads."""
    for block in plan_blocks(spec):
        if block.kind != "transformer" or block.width == block.num_heads * block.head_dim:
            continue
        attention_width = block.num_heads * block.head_dim
        pattern = re.compile(rf"(stack|stage)_{block.stage}_block_{block.number}_mhsa_qkv_conv/(kernel:0|weight)")
        for name, array in file.arrays.items():
            if pattern.fullmatch(name) and array.shape[-1] == 2 * attention_width + block.width:
                return (
                    "it was written before 2022-04-24, when keras_cv_attention_models gave the values of an attention "
                    f"the block's output width: {name} has {array.shape[-1]} columns, today {3 * attention_width}. "
                    "Download the current file"
                )
    return None


def _table_of_a_non_square_map(file):
    explanation = (
        "keras_cv_attention_models scrambles the index of relative positions on non-square maps, so the table cannot "
        "be read as positions. Train or convert at a square size"
    )
    sides = _sides_in_model_config(file)
    if sides is not None and sides[0] != sides[1]:
        return f"it was made for a non-square map ({sides[0]}x{sides[1]} images): {explanation}"
    for name, array in file.arrays.items():
        if "positional_embedding" in name and array.ndim == 2 and math.isqrt(array.shape[1]) ** 2 != array.shape[1]:
            return f"{name} has {array.shape[1]} offsets, a table made for a non-square map: {explanation}"
    return None


def _sides_in_model_config(file):
    """Image sides that a whole-model file states; None where it states none."""
    try:
        layers = json.loads(file.attributes["model_config"])["config"]["layers"]
        shape = layers[0]["config"].get("batch_input_shape") or layers[0]["config"]["batch_shape"]
        height, width = shape[1:3]
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


NAME_TABLES = (
    NameTable(
        source="timm",
        formats=("safetensors", "torch"),
        dialect=TORCH,
        groups=timm_groups,
        cannot_hold=timm_cannot_hold,
        containers=("state_dict_ema", "model_ema", "state_dict", "model"),
        prefixes=("module.", "_orig_mod."),
        ignored=("num_batches_tracked", "relative_position_index", "rel_coords_log"),
        counters=("num_batches_tracked",),
    ),
    NameTable(
        source="kecam",
        formats=("legacy_h5",),
        dialect=KERAS_2,
        groups=kecam_groups,
        cannot_hold=kecam_cannot_hold,
        refuse_file=refuse_kecam_file,
        square_tables=True,
    ),
)
