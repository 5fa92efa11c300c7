"""Images on their way into a model and maps on their way out: shapes, tensors, data formats."""

import numbers

import keras


def input_shape_of(spec, input_shape, input_tensor, check_sides):
    """(H, W, C) to build for, checked; channels first is turned around.

    Args:
        spec: of the model to be.
        input_shape: as the user gave it; None is the spec's own size and 3 channels.
        input_tensor: to build on, or None.
        check_sides: function (spec, sides) that raises a ValueError for sides that cannot be.
    """
    argument = "input_shape" if input_tensor is None else "input_tensor, behind its batch,"
    channels_first = keras.config.image_data_format() == "channels_first"
    if input_tensor is not None:
        found = tuple(input_tensor.shape)[1:]
        if input_shape is not None and tuple(input_shape) != found:
            raise ValueError(f"input_shape must be that of input_tensor, {found}; got {tuple(input_shape)}.")
        shape = found
    elif input_shape is None:
        sides = (spec.input_size, spec.input_size)
        shape = (3, *sides) if channels_first else (*sides, 3)
    else:
        shape = tuple(input_shape)
    if len(shape) != 3:
        layout = "(channels, height, width)" if channels_first else "(height, width, channels)"
        raise ValueError(f"{argument} must have three entries, {layout}, and no batch; got {shape}.")
    *sides, channels = (*shape[1:], shape[0]) if channels_first else shape
    if not isinstance(channels, numbers.Integral) or channels < 1:
        raise ValueError(f"{argument} must say the number of channels, at least 1; got {shape}.")
    check_sides(spec, sides)
    return (*sides, channels)


def is_symbolic(tensor):
    return isinstance(tensor, keras.KerasTensor)


def make_input(shape, input_tensor):
    """The tensor the model starts from, in the user's data format."""
    if is_symbolic(input_tensor):
        return input_tensor
    if keras.config.image_data_format() == "channels_first":
        shape = (shape[2], *shape[:2])
    return keras.Input(shape=shape, name="images")


def source_of(inputs, input_tensor):
    """What a model's inputs are: those of the layers in front of a symbolic `input_tensor`."""
    return keras.utils.get_source_inputs(input_tensor) if is_symbolic(input_tensor) else inputs


def from_user_format(x, policy):
    """A map as all our layers take it, channels last."""
    if keras.config.image_data_format() == "channels_last":
        return x
    return keras.layers.Permute((2, 3, 1), name="channels_last", dtype=policy)(x)


def to_user_format(x, policy):
    """A map that leaves the model, in Keras' image data format."""
    if keras.config.image_data_format() == "channels_last":
        return x
    return keras.layers.Permute((3, 1, 2), name="channels_first", dtype=policy)(x)
