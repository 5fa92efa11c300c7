"""A spec's scales as rows to show: what stands where, at which size."""

from keras_coatnet.coat.plan import plan_scales
from keras_coatnet.coat.sizes import map_sizes
from keras_coatnet.families.stage import Stage


def list_stages(spec):
    """The scales of a spec, at its own input size; parallel blocks are told with each scale that they join.

    Returns: list of `Stage`.
    Raises: ValueError where the spec says something impossible.
    """
    sizes = map_sizes(spec, (spec.input_size, spec.input_size))
    joined = f", {spec.parallel_depth} parallel" if spec.parallel_depth else ""
    return [
        Stage(scale.prefix, f"{scale.depth} serial" + joined * (scale.number > 1), scale.width, size)
        for scale, size in zip(plan_scales(spec), sizes, strict=True)
    ]
