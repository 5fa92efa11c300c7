"""Where each norm of a CoAtNet goes when it is folded away, and why some of one stays."""

import dataclasses

from keras_coatnet.coatnet.spec import stem_widths
from keras_coatnet.weights.folding import FoldBackward, FoldForward, FoldIntoGate, KeepAffine, KeepLayerNorm

ACTIVATION_BEHIND = "an activation stands behind it"
ZEROS_BEHIND = "the convolution behind it pads with zeros"
MAX_POOL_BEHIND = "a max pool stands between it and {target}"
GATE_BEHIND = "squeeze and excitation stands behind it"
RESULT_BEHIND = "what it gives is the model's result"


def block_norms(spec, block):
    """Steps that fold the norms of a block, in the order of its places."""
    return BLOCKS[block.kind](spec, block)


def mbconv_norms(spec, block):
    norm = _Norms(block.name, spec.convolution_norm, spec.convolution_norm_epsilon)
    return (
        _mbconv_prenorm(spec, block, norm),
        _expansion_norm(spec, norm),
        _depthwise_norm(spec, norm, squeezes=block.squeeze_width > 0),
    )


def _mbconv_prenorm(spec, block, norm):
    readers = _readers(spec, block, "expansion")
    if spec.convolution_prenorm_activation:
        return norm.keep("prenorm", ACTIVATION_BEHIND)
    if block.strides > 1 and spec.stride_in == "pool" and spec.branch_pool != "average":
        return norm.keep("prenorm", MAX_POOL_BEHIND.format(target="the expansion"))
    if block.strides > 1 and len(readers) > 1 and spec.convolution_pool != "average":
        return norm.keep("prenorm", MAX_POOL_BEHIND.format(target="the shortcut"))
    return norm.forward("prenorm", *readers)


def _expansion_norm(spec, norm):
    if spec.activation_first:
        return norm.keep("expansion_norm", ZEROS_BEHIND)
    return norm.backward("expansion_norm", "expansion")


def _depthwise_norm(spec, norm, squeezes):
    if not spec.activation_first:
        if squeezes and spec.se_place == "before_norm":
            return norm.into_gate("depthwise_norm", "squeeze_excite")
        return norm.backward("depthwise_norm", "depthwise")
    if squeezes and spec.se_place == "after_norm":
        return norm.keep("depthwise_norm", GATE_BEHIND)
    return norm.forward("depthwise_norm", "projection")


def convnext_norms(spec, block):
    norm = _Norms(block.name, spec.convolution_norm, spec.convolution_norm_epsilon)
    if spec.convolution_norm == "batch":
        return (norm.backward("norm", "depthwise"),)
    return (norm.forward("norm", "mlp_expansion"),)


def transformer_norms(spec, block):
    norm = _Norms(block.name, spec.transformer_norm, spec.transformer_norm_epsilon)
    return (_attention_norm(spec, block, norm), norm.forward("mlp_norm", "mlp_expansion"))


def _attention_norm(spec, block, norm):
    if spec.transformer_prenorm_activation:
        return norm.keep("attention_norm", ACTIVATION_BEHIND)
    if block.strides > 1 and spec.transformer_pool != "average":
        return norm.keep("attention_norm", MAX_POOL_BEHIND.format(target="the attention"))
    return norm.forward("attention_norm", *_readers(spec, block, "attention/qkv"))


def _readers(spec, block, branch):
    """The linear maps that read a block's opening norm: the branch's first, and the shortcut of a V2 residual."""
    return (branch, "shortcut") if spec.prenorm_shortcut and block.projects_shortcut else (branch,)


BLOCKS = {"mbconv": mbconv_norms, "convnext": convnext_norms, "transformer": transformer_norms}


def stem_norms(spec):
    """Steps for the norms between the stem's convolutions."""
    norm = _Norms("stem", spec.convolution_norm, spec.convolution_norm_epsilon)
    numbers = range(1, len(stem_widths(spec)))
    if spec.activation_first:
        return tuple(norm.keep(f"norm{number}", ZEROS_BEHIND) for number in numbers)
    return tuple(norm.backward(f"norm{number}", f"convolution{number}") for number in numbers)


def head_norm(spec, include_top):
    """The step for the norm of the head; None where the model has none."""
    if spec.head_norm is None or (spec.head_norm == "after_pool" and not include_top):
        return None
    norm = _Norms("", spec.transformer_norm, spec.transformer_norm_epsilon)
    if not include_top:
        return norm.keep("head_norm", RESULT_BEHIND)
    # The pool of a top averages, and so hands scale and shift through.
    return norm.forward("head_norm", "pre_logits" if spec.hidden_head else "predictions")


@dataclasses.dataclass(frozen=True)
class _Norms:
    """Makes the steps of one layer's norms; paths are relative to the layer."""

    layer: str
    kind: str
    epsilon: float

    def forward(self, place, *targets):
        return self._make(FoldForward, place, targets)

    def backward(self, place, target):
        """Into the layer before, which takes a batch norm alone; an activation follows where this is asked."""
        if self.kind == "layer":
            return self.keep(place, ACTIVATION_BEHIND)
        return self._make(FoldBackward, place, (target,))

    def into_gate(self, place, target):
        if self.kind == "layer":
            return self.keep(place, ACTIVATION_BEHIND)
        return self._make(FoldIntoGate, place, (target,))

    def keep(self, place, reason):
        step = KeepAffine if self.kind == "batch" else KeepLayerNorm
        return self._make(step, place, (), reason)

    def _make(self, step, place, targets, reason=""):
        prefix = f"{self.layer}/" if self.layer else ""
        paths = tuple(prefix + target for target in targets)
        return step(prefix + place, self.kind, self.epsilon, paths, reason)


def biased(steps):
    """Paths of the layers that need a bias for what they take."""
    return {path for step in steps if isinstance(step, FoldForward | FoldBackward) for path in step.into}
