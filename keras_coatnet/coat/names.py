"""Where the authors' code and timm keep each tensor of a CoaT."""

from keras_coatnet.coat.plan import PARALLEL_SCALES, head_norm_name, head_scales, parallel_blocks, plan_scales
from keras_coatnet.weights.name_table import TORCH, NameTable
from keras_coatnet.weights.transforms import SAME, Transform, torch_depthwise

# One weight a scale, a 1x1 convolution over scales there: (1, scales, 1) and (scales, 1) here.
AGGREGATION = Transform(lambda array: array.reshape(-1, 1), lambda array: array.reshape(1, -1, 1))
DIALECT = {
    **TORCH,
    "token": [("class_token", ("",), SAME)],
    "aggregation": [("kernel", (".weight",), AGGREGATION), ("bias", (".bias",), SAME)],
}


def torch_groups(spec):
    """Rows of (our layer, the peers' layer, kind, places where they hang the same layer again)."""
    scales = plan_scales(spec)
    fields = {"depthwise": torch_depthwise(1)}
    for scale in scales:
        yield f"{scale.prefix}_", scale_rows(spec, scale), fields
        for index, block in enumerate(scale.blocks):
            yield f"{block}/", serial_rows(f"serial_blocks{scale.number}.{index}"), fields
    for index, block in enumerate(parallel_blocks(spec)):
        yield f"{block}/", parallel_rows(f"parallel_blocks.{index}"), fields
    yield "", head_rows(spec), fields


def scale_rows(spec, scale):
    """Patches, class token, and what the blocks of a scale share: it hangs in each of them."""
    s = scale.number
    serial = [f"serial_blocks{s}.{index}" for index in range(scale.depth)]
    joined = range(spec.parallel_depth if s in PARALLEL_SCALES else 0)
    attentions = [f"{block}.factoratt_crpe" for block in serial]
    attentions += [f"parallel_blocks.{index}.factoratt_crpe{s}" for index in joined]
    rows = [
        ("patch_embedding/convolution", f"patch_embed{s}.proj", "convolution"),
        ("patch_embedding/norm", f"patch_embed{s}.norm", "norm"),
        ("class_token", f"cls_token{s}", "token"),
        ("position_encoding/depthwise", f"cpe{s}.proj", "depthwise", *(f"{block}.cpe.proj" for block in serial)),
    ]
    for index, (side, _) in enumerate(spec.windows):
        again = (f"{attention}.crpe.conv_list.{index}" for attention in attentions)
        rows.append((f"relative_position/window{side}", f"crpe{s}.conv_list.{index}", "depthwise", *again))
    return rows


def serial_rows(block):
    return [
        ("attention_norm", f"{block}.norm1", "norm"),
        ("attention/qkv", f"{block}.factoratt_crpe.qkv", "dense"),
        ("attention/projection", f"{block}.factoratt_crpe.proj", "dense"),
        ("mlp_norm", f"{block}.norm2", "norm"),
        ("mlp/expansion", f"{block}.mlp.fc1", "dense"),
        ("mlp/projection", f"{block}.mlp.fc2", "dense"),
    ]


def parallel_rows(block):
    rows = []
    for s in PARALLEL_SCALES:
        rows += [
            (f"attention_norm{s}", f"{block}.norm1{s}", "norm"),
            (f"attention{s}/qkv", f"{block}.factoratt_crpe{s}.qkv", "dense"),
            (f"attention{s}/projection", f"{block}.factoratt_crpe{s}.proj", "dense"),
            (f"mlp_norm{s}", f"{block}.norm2{s}", "norm"),
        ]
    for ours, theirs in (("expansion", "fc1"), ("projection", "fc2")):
        first, *again = (f"{block}.mlp{s}.{theirs}" for s in PARALLEL_SCALES)
        rows.append((f"mlp/{ours}", first, "dense", *again))
    return rows


def head_rows(spec):
    rows = [(head_norm_name(s), f"norm{s}", "norm") for s in head_scales(spec)]
    if spec.parallel_depth:
        rows.append(("aggregation", "aggregate", "aggregation"))
    return [*rows, ("predictions", "head", "dense")]


FOLDED = "its norms are folded away (`fuse`), and the peers' models have them. Save the model as it was trained"


def timm_cannot_hold(spec, grids):
    return FOLDED if spec.folded else None


def official_cannot_hold(spec, grids):
    return 'the authors\' code asks for final norms that nothing reads, and we have none to write. Use source="timm"'


# Final norms that the authors' files keep for every scale and their models never read; the head's own are named above.
UNUSED = tuple(f"norm{scale}.{leaf}" for scale in (1, 2, 3) for leaf in ("weight", "bias"))
# Where detectors keep their backbone: detectron2, Deformable-DETR, mmdetection.
PARTS = ("backbone.bottom_up.backbone.", "backbone.0.backbone.", "backbone.")
SHARED = {
    "dialect": DIALECT,
    "groups": torch_groups,
    "prefixes": ("module.", "_orig_mod."),
    "unused": UNUSED,
    "parts": PARTS,
    "first_names": "patch_embed1.",
}

NAME_TABLES = (
    # The authors evaluate "model", the raw weights, also where an average stands beside them.
    NameTable(
        source="official",
        formats=("torch",),
        cannot_hold=official_cannot_hold,
        containers=("model", "state_dict_ema", "model_ema", "state_dict"),
        **SHARED,
    ),
    NameTable(
        source="timm",
        formats=("safetensors", "torch"),
        cannot_hold=timm_cannot_hold,
        containers=("state_dict_ema", "model_ema", "state_dict", "model"),
        **SHARED,
    ),
)
