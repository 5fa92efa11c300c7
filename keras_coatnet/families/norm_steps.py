"""Steps that fold the norms of one layer, made from what a spec says of it."""

import dataclasses

from keras_coatnet.weights.folding import FoldBackward, FoldForward, FoldIntoGate, KeepAffine, KeepLayerNorm

ACTIVATION_BEHIND = "an activation stands behind it"


@dataclasses.dataclass(frozen=True)
class NormSteps:
    """Makes the steps of one layer's norms; paths are relative to the layer, "" being the model.

    Args:
        layer: its path.
        kind, epsilon: of its norms.
    """

    layer: str
    kind: str
    epsilon: float

    def forward(self, place, *targets):
        """Into the layers behind it."""
        return self._make(FoldForward, place, targets)

    def backward(self, place, target):
        """Into the layer before, which takes a batch norm alone; an activation follows where this is asked."""
        if self.kind == "layer":
            return self.keep(place, ACTIVATION_BEHIND)
        return self._make(FoldBackward, place, (target,))

    def into_gate(self, place, target):
        """Into squeeze and excitation before it."""
        if self.kind == "layer":
            return self.keep(place, ACTIVATION_BEHIND)
        return self._make(FoldIntoGate, place, (target,))

    def keep(self, place, reason):
        """Nothing beside it can take its scale and shift."""
        step = KeepAffine if self.kind == "batch" else KeepLayerNorm
        return self._make(step, place, (), reason)

    def _make(self, step, place, targets, reason=""):
        prefix = f"{self.layer}/" if self.layer else ""
        paths = tuple(prefix + target for target in targets)
        return step(prefix + place, self.kind, self.epsilon, paths, reason)
