"""How to know that XLA runs on a CPU, which is faster in other operations there than the library's."""


def runs_on_cpu():
    """Whether JAX places new computations on the CPU."""
    import jax

    device = jax.config.jax_default_device
    platform = getattr(device, "platform", device) or jax.default_backend()
    return platform == "cpu"
