"""The depthwise convolution with its own gradients is the plain one: values, first and second derivatives."""

import pytest
from agreement import assert_close
from running import BACKEND, image, to_numpy

from keras_coatnet.layers.depthwise import convolve_depthwise
from keras_coatnet.layers.fast import jax_depthwise
from keras_coatnet.layers.fast.forward import plain_forms

pytestmark = pytest.mark.skipif(BACKEND != "jax", reason="XLA alone has these forms")
# Kernel, strides, dilation, padding; the 17 rows are no multiple of those of a turn.
FORMS = [
    ((3, 3), (1, 1), (1, 1), "symmetric"),
    ((3, 3), (2, 2), (1, 1), "symmetric"),
    ((3, 3), (2, 2), (1, 1), "same"),
    ((5, 2), (1, 3), (1, 1), "valid"),
    ((4, 3), (1, 1), (2, 3), "same"),
]


def arguments_of_jax(form, dtype="float32"):
    """A map of two images and a kernel."""
    import jax.numpy as jnp

    shapes = (2, 17, 12, 3), (*form[0], 3, 1)
    return tuple(jnp.asarray(image(shape, seed=seed), dtype) for seed, shape in enumerate(shapes))


def loss_of(strides, dilation_rate, padding):
    import jax.numpy as jnp

    def loss(x, kernel):
        y = convolve_depthwise(x, kernel, strides, dilation_rate, padding)
        return jnp.sum(jnp.sin(y.astype(jnp.promote_types(y.dtype, jnp.float32))))

    return loss


def assert_agree(function, *values, tolerance=1e-5):
    """`function` with these forms and in plain ones; each form is traced anew."""
    import jax

    found = jax.tree.leaves(function(*values))
    with plain_forms():
        expected = jax.tree.leaves(function(*values))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == theirs.dtype
        assert_close(to_numpy(ours.astype("float32")), to_numpy(theirs.astype("float32")), tolerance)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_values_and_gradients_agree(monkeypatch, form):
    import jax

    called, values = [], arguments_of_jax(form)
    derived = jax_depthwise.convolve
    monkeypatch.setattr(jax_depthwise, "convolve", lambda *a: called.append(a) or derived(*a))
    assert_agree(lambda *values: convolve_depthwise(*values, *form[1:]), *values)
    assert_agree(jax.value_and_grad(loss_of(*form[1:]), argnums=(0, 1)), *values)
    assert len(called) == 2


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_gradients_of_half_precision_agree(dtype):
    import jax

    # Both round the same sums in float32 to 8 or 11 bits.
    gradient = jax.grad(loss_of(*FORMS[1][1:]), argnums=(0, 1))
    assert_agree(gradient, *arguments_of_jax(FORMS[1], dtype), tolerance=2**-7)


def test_gradients_of_double_precision_agree():
    import jax

    with jax.enable_x64(True):
        assert_agree(jax.grad(loss_of(*FORMS[1][1:]), argnums=(0, 1)), *arguments_of_jax(FORMS[1], "float64"))


@pytest.mark.parametrize("transform", ["compiled", "again", "by_image", "recomputed"])
def test_transformed_gradients_agree(transform):
    import jax
    import jax.numpy as jnp

    loss = loss_of(*FORMS[1][1:])
    x, kernel = arguments_of_jax(FORMS[1])

    def gradients(x, kernel):
        both = (0, 1)
        if transform == "compiled":
            return jax.jit(jax.grad(lambda *a: loss(*a), both))(x, kernel)
        if transform == "recomputed":
            return jax.grad(jax.checkpoint(lambda *a: loss(*a)), both)(x, kernel)
        if transform == "by_image":
            return jax.vmap(jax.grad(loss, both), (0, None))(x[:, None], kernel)
        length = lambda *a: sum(jnp.sum(each**2) for each in jax.grad(loss, both)(*a))  # noqa: E731
        return jax.grad(length, both)(x, kernel)

    assert_agree(gradients, x, kernel)


def test_other_maps_take_the_plain_form():
    x, kernel = arguments_of_jax(FORMS[0])
    still = ((0, 0), (0, 0))
    assert jax_depthwise.may_derive(x, kernel, still)
    assert not jax_depthwise.may_derive(x.astype(int), kernel, still)
    assert not jax_depthwise.may_derive(x, kernel.repeat(2, axis=3), still)


def test_plain_forms_have_forward_mode_derivatives():
    import jax

    values = arguments_of_jax(FORMS[0])
    with plain_forms():
        _, found = jax.jvp(lambda *a: convolve_depthwise(*a, *FORMS[0][1:]), values, values)
    # Linear in the map and in the kernel.
    assert_close(to_numpy(found), 2 * to_numpy(convolve_depthwise(*values, *FORMS[0][1:])), 1e-5)
