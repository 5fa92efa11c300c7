"""The shifted depthwise convolution with a gradient of its kernel that needs little memory under XLA on a CPU.

JAX derives one sum over a strided slice for each weight of a kernel, which XLA neither vectorizes nor joins. Here the
products of a few rows are added pixel by pixel, in one pass over the map, and the columns are summed at the end. A
training step of a CoAtNet needs a third less memory, and at 224 pixels as much time as before (docs/performance.md).
"""

import functools

# Products added in one expression: 7 rows of a 3 x 3 kernel were faster than 4 and than 14.
PRODUCTS = 63


def may_derive(x, kernel, pads):
    """Whether `convolve` takes a map: of known size, real, with a kernel of one output a channel."""
    import jax.numpy as jnp

    sizes = (*getattr(x, "shape", (None,)), *pads[0], *pads[1])
    return (
        all(isinstance(size, int) for size in sizes) and kernel.shape[3] == 1 and jnp.issubdtype(x.dtype, jnp.floating)
    )


def convolve(shifted, x, kernel, strides, dilation_rate, pads):
    """`shifted(x, kernel, strides, dilation_rate, pads)` in a form that knows its gradients.

    JAX takes reverse-mode derivatives of it, of any order, and no forward-mode ones (`jax.jvp`): those run inside
    `plain_forms`.

    Args:
        shifted: the plain form, differentiable.
        x: (B, H, W, C).
        kernel: (h, w, C, 1), a tensor.
        strides, dilation_rate: a pair each.
        pads: zeros before and after rows, and before and after columns.
    """
    return _with_gradients()(shifted, tuple(strides), tuple(dilation_rate), pads, x, kernel)


@functools.cache
def _with_gradients():
    import jax

    # Compiled once for a shape, also where no compiled function calls it.
    of_kernel = jax.jit(gradient_of_kernel, static_argnums=(2, 3, 4, 5))

    @functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2, 3))
    def convolve(shifted, strides, dilation_rate, pads, x, kernel):
        return shifted(x, kernel, strides, dilation_rate, pads)

    def forward(shifted, strides, dilation_rate, pads, x, kernel):
        return shifted(x, kernel, strides, dilation_rate, pads), (x, kernel)

    def backward(shifted, strides, dilation_rate, pads, read, of_output):
        x, kernel = read
        _, of_input = jax.vjp(lambda x: shifted(x, kernel, strides, dilation_rate, pads), x)
        gradient = of_kernel(x, of_output, kernel.shape[:2], strides, dilation_rate, pads)
        return (*of_input(of_output), gradient.astype(kernel.dtype))

    convolve.defvjp(forward, backward)
    return convolve


def gradient_of_kernel(x, of_output, kernel_size, strides, dilation_rate, pads):
    """Sum over images and pixels of a map's products with the gradient of what was made of it.

    Args:
        x: (B, H, W, C).
        of_output: (B, H', W', C).
        kernel_size, strides, dilation_rate: a pair each.
        pads: see `convolve`.

    Returns: (h, w, C, 1) in float32 or wider.
    """
    import jax
    import jax.numpy as jnp

    height, width, channels = of_output.shape[1:]
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    rows = max(1, min(height, PRODUCTS // (kernel_size[0] * kernel_size[1])))
    turns = -(-height // rows)
    read_rows = (rows - 1) * strides[0] + (kernel_size[0] - 1) * dilation_rate[0] + 1
    all_rows = (turns - 1) * rows * strides[0] + read_rows
    below = max(all_rows - pads[0][0] - x.shape[1], 0)
    columns = (width - 1) * strides[1] + 1

    def add_image(total, image):
        padded = jnp.pad(image[0], ((pads[0][0], below), pads[1], (0, 0)))
        gradient = jnp.pad(image[1], ((0, turns * rows - height), (0, 0), (0, 0)))

        def add_rows(turn, total):
            read = jax.lax.dynamic_slice_in_dim(padded, turn * rows * strides[0], read_rows).astype(dtype)
            written = jax.lax.dynamic_slice_in_dim(gradient, turn * rows, rows).astype(dtype)
            products = [
                sum(
                    read[top + row * strides[0], left : left + columns : strides[1]] * written[row]
                    for row in range(rows)
                )
                for top in range(0, kernel_size[0] * dilation_rate[0], dilation_rate[0])
                for left in range(0, kernel_size[1] * dilation_rate[1], dilation_rate[1])
            ]
            return total + jnp.stack(products)

        return jax.lax.fori_loop(0, turns, add_rows, total), None

    total = jnp.zeros((kernel_size[0] * kernel_size[1], width, channels), dtype)
    total, _ = jax.lax.scan(add_image, total, (x, of_output))
    return jnp.reshape(total.sum(axis=1), (*kernel_size, channels, 1))
