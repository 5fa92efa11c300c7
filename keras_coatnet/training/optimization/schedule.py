"""The learning rate over a run: a linear rise, then a cosine, a line or nothing, then a rest at the minimum."""

import math

import keras

KINDS = ("cosine", "linear", "constant")
COUNTED_FROM = ("warmup", "start")


@keras.saving.register_keras_serializable(package="keras_coatnet")
class WarmUpAndDecay(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate at a step.

    Args:
        peak: where the decay begins.
        steps: of the whole run, all parts included.
        kind: "cosine", "linear" or "constant".
        minimum: where the decay ends.
        warmup_steps: length of the rise; 0 starts with the decay.
        warmup_start: where the rise begins.
        cooldown_steps: steps at the minimum at the end.
        decay_from: where the decay counts its steps from: the end of the "warmup", or the "start" of the run, so that
            some of it is over when the rise ends.
        step_size: the rate changes once in so many steps; an epoch's, for recipes that set it by epoch.

    Raises: ValueError for another kind, or where the parts are longer than the run.
    """

    def __init__(
        self,
        peak,
        steps,
        *,
        kind="cosine",
        minimum=0.0,
        warmup_steps=0,
        warmup_start=0.0,
        cooldown_steps=0,
        decay_from="warmup",
        step_size=1,
    ):
        super().__init__()
        if kind not in KINDS or decay_from not in COUNTED_FROM:
            raise ValueError(
                f"kind must be one of {', '.join(map(repr, KINDS))} and decay_from one of "
                f"{', '.join(map(repr, COUNTED_FROM))}; got {kind!r} and {decay_from!r}."
            )
        if warmup_steps + cooldown_steps >= steps:
            raise ValueError(
                f"A run of {steps} steps has no room for a warm-up of {warmup_steps} and a cool-down of "
                f"{cooldown_steps}; train for more epochs, or set warmup_epochs, warmup_steps or cooldown_epochs lower."
            )
        self.peak, self.steps, self.kind, self.minimum = peak, steps, kind, minimum
        self.warmup_steps, self.warmup_start, self.cooldown_steps = warmup_steps, warmup_start, cooldown_steps
        self.decay_from, self.step_size = decay_from, step_size

    def __call__(self, step):
        ops = keras.ops
        # Whole numbers first: 32-bit floats count exactly to 16 million only, and long runs get near.
        step = ops.cast(step, "int32") // self.step_size * self.step_size
        step = ops.cast(step, "float32")
        start = self.warmup_steps if self.decay_from == "warmup" else 0
        length = self.steps - self.cooldown_steps - start
        progress = ops.clip((step - start) / length, 0.0, 1.0)
        decayed = self.minimum + (self.peak - self.minimum) * self._share(progress)
        if not self.warmup_steps:
            return decayed
        rise = self.warmup_start + (self.peak - self.warmup_start) * (step / self.warmup_steps)
        return ops.where(step < self.warmup_steps, rise, decayed)

    def _share(self, progress):
        """1 at the peak, 0 at the minimum."""
        if self.kind == "constant":
            return keras.ops.ones_like(progress)
        if self.kind == "linear":
            return 1.0 - progress
        return 0.5 * (1.0 + keras.ops.cos(math.pi * progress))

    def get_config(self):
        names = ("peak", "steps", "kind", "minimum", "warmup_steps", "warmup_start", "cooldown_steps", "decay_from")
        return {name: getattr(self, name) for name in (*names, "step_size")}
