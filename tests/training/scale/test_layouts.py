"""Wide kernels of every variant are cut over devices, once, and along an axis that divides."""

import re
import types

import keras
import pytest
from coat_twins import TWINS, twin
from narrow_twins import forms, narrow_twin

import keras_coatnet as kc
from keras_coatnet.families.sharding import MODEL
from keras_coatnet.training.scale.devices import CutWhereDivisible, choose_devices, make_distribution
from keras_coatnet.training.scale.layouts import sharded_kernels

# What lies whole on every device: narrow, or not in a block.
WHOLE = (
    r"stem|shortcut|predictions|pre_logits|relative_position|patch_embedding|position_encoding|class_token|aggregation"
)


def specs():
    return [*map(narrow_twin, forms()), *map(twin, TWINS)]


def axes_of(path):
    found = [axes for pattern, axes in sharded_kernels().items() if re.fullmatch(pattern, path)]
    assert len(found) <= 1, path
    return found[0] if found else None


@pytest.mark.backend_free
@pytest.mark.parametrize("spec", specs(), ids=lambda spec: spec.name)
def test_every_wide_kernel_of_every_form_is_cut_and_nothing_else(spec):
    model = kc.build(spec, input_shape=(64, 64, 3))
    for variable in model.variables:
        axes = axes_of(variable.path)
        wide = variable.name == "kernel" and not re.search(WHOLE, variable.path)
        assert (axes is not None) == wide, variable.path
        if wide:
            assert len(axes) == len(variable.shape)
            assert variable.shape[axes.index(MODEL)] % 2 == 0


@pytest.mark.backend_free
def test_a_model_inside_another_is_cut_too():
    assert axes_of("sequential/coatnet_0/stage3_block2/attention/qkv/kernel") == (None, MODEL)
    assert axes_of("coatnet_0/stage3_block2/attention/qkv/kernel_momentum") is None


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="only JAX has meshes")
def test_mesh_has_to_have_the_axis():
    mesh = keras.distribution.DeviceMesh((1, 1), ("batch", "parts"), keras.distribution.list_devices()[:1])
    layouts = kc.layout_map(mesh, "parts")
    assert layouts["stage4_block1/mlp_expansion/kernel"].axes == (None, "parts")
    assert layouts["stage4_block1/mlp_expansion/bias"] is None
    with pytest.raises(ValueError, match="axis must be one of the mesh's, 'batch', 'parts'; got 'model'"):
        kc.layout_map(mesh)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="only JAX has meshes")
def test_kernel_that_the_devices_do_not_divide_lies_whole():
    mesh = keras.distribution.DeviceMesh((1, 1), ("batch", "model"), keras.distribution.list_devices()[:1])
    mesh._shape = (1, 4)  # as if there were so many
    distribution = CutWhereDivisible(layout_map=kc.layout_map(mesh), batch_dim_name="batch")
    even, odd = (types.SimpleNamespace(path="stage1_block1/expansion/kernel", shape=(8, n)) for n in (12, 10))
    assert distribution.get_variable_layout(even).axes == (None, "model")
    assert distribution.get_variable_layout(odd).axes == (None, None)


@pytest.mark.backend_free
def test_devices_are_the_first_ones_and_make_whole_copies():
    assert choose_devices(["a", "b", "c", "d"], 2, 2) == ["a", "b"]
    with pytest.raises(ValueError, match="from 1 to 2, as many as there are; got 3"):
        choose_devices(["a", "b"], 3)
    with pytest.raises(ValueError, match="model_parallel must divide the 3 devices; got 2"):
        choose_devices(["a", "b", "c"], None, 2)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX can")
def test_what_a_backend_cannot_do_is_refused_by_name():
    with pytest.raises(ValueError, match="KERAS_BACKEND=jax"):
        make_distribution(model_parallel=2)
