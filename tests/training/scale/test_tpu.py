"""What would run on a TPU is lowered for one, without one: forward pass and training step."""

import keras
import numpy as np
import pytest

import keras_coatnet as kc
from keras_coatnet.layers.fast import jax_forms
from keras_coatnet.training.recipes import get_recipe

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="TPUs are JAX's here")

TWINS = {"coatnet_0": ((1, 1), (16, 32)), "coat_lite_mini": ((1, 1, 1, 1), (8, 16, 16, 16))}


def make_model(name):
    spec = kc.get_spec(name)
    if name == "coatnet_0":
        spec = kc.coatnet_spec(*TWINS[name], 8, layout="CT", head_dim=16)
    else:
        spec = kc.narrow(spec, *TWINS[name])
    return kc.build(spec, input_shape=(32, 64, 3), num_classes=4, drop_path_rate=0.1, dtype="mixed_bfloat16")


@pytest.mark.parametrize("name", TWINS)
def test_forward_and_training_step_lower_for_tpus(name, monkeypatch):
    import jax
    from jax import export

    # On a TPU the depthwise convolutions are the library's; this machine's form would hide them.
    monkeypatch.setattr(jax_forms, "runs_on_cpu", lambda: False)
    model = make_model(name)
    model.compile(
        **get_recipe("paper_in1k").replace(batch_size=8, warmup_epochs=0, warmup_steps=0).compile_args(model, 100, 2)
    )
    batch = tuple(jax.ShapeDtypeStruct(shape, "float32") for shape in ((8, 32, 64, 3), (8, 4)))
    # Metrics make their variables when they first see a batch.
    model._symbolic_build(data_batch=tuple(np.zeros(each.shape, "float32") for each in batch))

    def forward(trainable, others, images):
        return model.stateless_call(trainable, others, images, training=False)[0]

    state = model._get_jax_state(
        trainable_variables=True, non_trainable_variables=True, optimizer_variables=True, metrics_variables=True
    )
    answers = export.export(jax.jit(forward), platforms=("tpu",))(*state[:2], batch[0])
    step = export.export(jax.jit(model.train_step), platforms=("tpu",))(state, batch)
    for exported in (answers, step):
        assert exported.platforms == ("tpu",)
        assert "stablehlo.convolution" in exported.mlir_module()
    assert answers.out_avals[0].shape == (8, 4)
    logs = 3  # loss and two metrics
    assert len(step.out_avals) == logs + len(jax.tree.leaves(state))
