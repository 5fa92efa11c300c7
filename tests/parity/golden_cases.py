"""What the peers answered: the cases of `tests/goldens`, the models they belong to, and what counts as equal."""

import contextlib
import dataclasses
import functools
import gzip
import json
import pathlib
import shutil
import tempfile

import keras
import numpy as np
from running import BACKEND, quick_compilation, training_argument

import keras_coatnet as kc

GOLDENS = pathlib.Path(__file__).parents[1] / "goldens"
STAGES = ("stem", "stage1", "stage2", "stage3", "stage4")
# Allowed largest difference, over the largest expected value (timm) or the expected standard deviation (kecam).
TOLERANCES = {"timm": 1e-4, "kecam": 5e-5}
SCALES = {"timm": lambda expected: np.abs(expected).max(), "kecam": np.std}


@dataclasses.dataclass(frozen=True)
class Case:
    """One record of a peer's `cases.json`."""

    peer: str
    record: dict

    def __getattr__(self, name):
        try:
            return self.record[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def answers(self):
        """The images `x` and what the peer made of them."""
        return np.load(GOLDENS / self.peer / f"{self.name}.npz")

    @property
    def layer_answers(self):
        return np.load(GOLDENS / self.peer / f"{self.name}_layers.npz")

    @property
    def is_resized(self):
        return self.input_shape[:2] != self.saved_at

    @property
    def ending(self):
        return pathlib.Path(self.checkpoint.removesuffix(".gz")).suffix


def cases(peer):
    """All cases of a peer, in the order of its file."""
    return [Case(peer, record) for record in json.loads((GOLDENS / peer / "cases.json").read_text())]


def accepted(peer):
    return [case for case in cases(peer) if "refused" not in case.record]


def one_a_file(peer):
    """One case for each checkpoint, at the size the checkpoint was saved at where the cases have it."""
    chosen = {}
    for case in sorted(accepted(peer), key=lambda case: case.is_resized):
        chosen.setdefault(case.checkpoint, case)
    return list(chosen.values())


def name_of(case):
    return case.name


@functools.cache
def _folder():
    folder = tempfile.TemporaryDirectory()
    return folder, pathlib.Path(folder.name)


@functools.cache
def unpacked(peer, checkpoint):
    """Path of a peer's file."""
    path = _folder()[1] / f"{peer}_{checkpoint.removesuffix('.gz')}"
    with gzip.open(GOLDENS / peer / checkpoint) as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return path


def checkpoint_of(case):
    return unpacked(case.peer, case.checkpoint)


def build(case):
    """The narrow twin of a case, giving logits."""
    stem = case.stem if isinstance(case.stem, int) else tuple(case.stem)
    spec = kc.narrow(case.base, tuple(case.depths), tuple(case.widths), stem)
    spec = dataclasses.replace(spec, **case.fields)
    return kc.CoAtNet(
        spec, input_shape=tuple(case.input_shape), num_classes=case.num_classes, classifier_activation=None
    )


@functools.cache
def _loaded(peer, name):
    case = next(case for case in cases(peer) if case.name == name)
    model = build(case)
    kc.load_checkpoint(model, checkpoint_of(case))
    return model


def loaded(case):
    """The twin with the peer's weights; tests do not change it."""
    return _loaded(case.peer, case.name)


def all_outputs(model, x):
    """{"stem": ..., "stage4": ..., "logits": ...} in one pass."""
    taps = keras.Model(model.inputs, [*kc.stage_outputs(model).outputs, *model.outputs])
    return dict(zip((*STAGES, "logits"), run(taps, x), strict=True))


def run(layer, x):
    """Outputs of a layer or model in inference; a list as the layer gives a list. Compiled where the backend is JAX."""
    arguments = training_argument(layer, False)
    if BACKEND == "jax":
        import jax

        with quick_compilation():
            call = jax.jit(lambda trainable, state, x: layer.stateless_call(trainable, state, x, **arguments)[0])
            trainable = [variable.value for variable in layer.trainable_variables]
            state = [variable.value for variable in layer.non_trainable_variables]
            found = call(trainable, state, x)
    else:
        with _without_gradients():
            found = layer(keras.tree.map_structure(keras.ops.convert_to_tensor, x), **arguments)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, found)


def _without_gradients():
    if BACKEND == "torch":
        import torch

        return torch.no_grad()
    return contextlib.nullcontext()


def assert_close(peer, got, expected, what):
    """Compare in the units of `TOLERANCES`."""
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, the peer's is {expected.shape}"
    difference = float(np.abs(got.astype("float64") - expected).max() / SCALES[peer](expected))
    assert difference <= TOLERANCES[peer], f"{what}: off by {difference:.1e}, allowed {TOLERANCES[peer]:.0e}"
