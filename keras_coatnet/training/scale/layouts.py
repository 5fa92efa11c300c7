"""Which part of which variable lies on which device."""

import keras

from keras_coatnet.families.sharding import MODEL
from keras_coatnet.registry import FAMILIES


def layout_map(mesh, axis=MODEL):
    """How the variables of any model of this package are cut over the devices that share one copy of it.

    `keras.distribution.ModelParallel(layout_map=layout_map(mesh))` cuts the kernels of queries, keys and values, of
    the MLPs and of the inverted bottlenecks, and with them what an optimizer keeps of each. All else, a few percent of
    a large model, lies whole on every device.

    Args:
        mesh: `keras.distribution.DeviceMesh`; its first axis is that of the batch.
        axis: name of the mesh's axis over which kernels are cut.

    Returns: `keras.distribution.LayoutMap`.
    Raises: ValueError for an axis that the mesh has not. Keras raises one, when a model is built, for a kernel that the
        axis does not divide.
    """
    if axis not in mesh.axis_names:
        raise ValueError(f"axis must be one of the mesh's, {', '.join(map(repr, mesh.axis_names))}; got {axis!r}.")
    layouts = keras.distribution.LayoutMap(mesh)
    for pattern, axes in sharded_kernels().items():
        layouts[pattern] = tuple(axis if name == MODEL else None for name in axes)
    return layouts


def sharded_kernels():
    """All families' patterns of variables' paths, and the axes by which these variables are cut.

    Keras wants no path to match two patterns: what families share is one.
    """
    return {pattern: axes for family in FAMILIES for pattern, axes in family.sharded_kernels.items()}
