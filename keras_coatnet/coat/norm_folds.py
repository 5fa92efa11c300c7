"""Where each norm of a CoaT goes when it is folded away, and why some of one stays."""

from keras_coatnet.coat.plan import PARALLEL_SCALES, head_norm_name, head_scales, parallel_blocks, plan_scales
from keras_coatnet.families.norm_steps import NormSteps
from keras_coatnet.weights.folding import FoldShortcut

STREAM_BEHIND = "the sums of all blocks start from what it gives"
SHARED_BEHIND = "the perceptron behind it is that of the other scales too"
SUM_BEHIND = "class tokens of several scales are added up behind it"
RESULT_BEHIND = "what it gives is the model's result"


def fold_steps(spec):
    """Steps for all that stands before the head, in order: a list of `weights.folding`'s."""
    steps = []
    for scale in plan_scales(spec):
        patches = NormSteps(f"{scale.prefix}_patch_embedding", "layer", spec.patch_norm_epsilon)
        steps.append(patches.keep("norm", STREAM_BEHIND))
        steps.append(FoldShortcut(f"{scale.prefix}_position_encoding/depthwise"))
        for block in scale.blocks:
            norm = NormSteps(block, "layer", spec.norm_epsilon)
            steps.append(norm.forward("attention_norm", "attention/qkv"))
            steps.append(norm.forward("mlp_norm", "mlp/expansion"))
    for block in parallel_blocks(spec):
        norm = NormSteps(block, "layer", spec.norm_epsilon)
        for scale in PARALLEL_SCALES:
            steps.append(norm.forward(f"attention_norm{scale}", f"attention{scale}/qkv"))
            steps.append(norm.keep(f"mlp_norm{scale}", SHARED_BEHIND))
    return steps


def head_steps(spec, options):
    """Steps for the norms of the head that a model of these options has."""
    norm = NormSteps("", "layer", spec.norm_epsilon)
    reads_tokens = options.include_top or options.pooling == "token"
    scales = head_scales(spec) if reads_tokens else (4,)
    if options.include_top and len(scales) == 1:
        return [norm.forward(head_norm_name(4), "predictions")]
    reason = SUM_BEHIND if len(scales) > 1 else RESULT_BEHIND
    return [norm.keep(head_norm_name(scale), reason) for scale in scales]


def head_norm_kind(spec, options):
    """Kind of the head's norms."""
    return head_steps(spec, options)[0].left if spec.folded else "layer"
