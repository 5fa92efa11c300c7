"""Positions by convolution: x + DWConv(x) on maps, and q * DWConv(v) inside attention. CoaT, arXiv 2104.06399, 3.1."""

import keras
from keras import ops

from keras_coatnet.layers.arguments import check_counts
from keras_coatnet.layers.composite import CompositeLayer
from keras_coatnet.layers.depthwise import DepthwiseConv2D, convolve_depthwise
from keras_coatnet.layers.fast.forward import forward
from keras_coatnet.layers.initializers import UniformFanIn, serialize_initializer

# Side of the window -> how many of the 8 heads see it.
WINDOWS = ((3, 2), (5, 3), (7, 3))


@keras.saving.register_keras_serializable(package="keras_coatnet")
class ConvPositionEncoding(CompositeLayer):
    """Adds to each pixel what its surroundings say: y = x + DWConv(x). One layer serves all blocks of a scale.

    Args:
        kernel_size: side of the window, odd.
        residual: whether the map itself is added; False where the kernel's centre already does it.
        kernel_initializer: None is uniform in +-1 / kernel_size, biases too.

    Shapes: (B, H, W, C) -> (B, H, W, C).
    Raises: ValueError for an even kernel_size.
    Source: CoaT, arXiv 2104.06399, section 3.1.
    """

    def __init__(self, kernel_size=3, residual=True, kernel_initializer=None, **kwargs):
        super().__init__(**kwargs)
        check_odd("kernel_size", kernel_size)
        self.kernel_size = kernel_size
        self.residual = residual
        self.kernel_initializer = kernel_initializer

    def build(self, input_shape):
        self.depthwise = window(self.kernel_size, self.kernel_initializer, "depthwise", self.dtype_policy)
        self.depthwise.build(input_shape)

    def call(self, x):
        y = forward(self.depthwise, x)
        return x + y if self.residual else y

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "residual": self.residual,
            "kernel_initializer": serialize_initializer(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable(package="keras_coatnet")
class ConvRelativePosition(CompositeLayer):
    """The windows through which the attention of a scale sees positions: EV = q * DWConv(v), pixel by pixel.

    Each group of heads has a window of its own size. The layer gives the windows themselves, and every
    `FactorizedAttention` of the scale takes them as an input: so they are one variable each, whatever copies, saves or
    quantizes the model.

    Args:
        num_heads: heads of the attention; their windows are dealt out as `windows` says.
        windows: ((side, heads), ...): so many heads have a window of this odd side, in this order.
        kernel_initializer: None is uniform in +-1 / side, biases too.

    Shapes: (B, H, W, C) -> [(3, 3, 2d, 1), (2d,), (5, 5, 3d, 1), (3d,), (7, 7, 3d, 1), (3d,)] for eight heads of d
        channels: a kernel and a bias each window; only the channels of the input are used.
    Raises: ValueError where the windows' heads are not `num_heads`, for an even side or one that stands twice, or
        channels that heads do not divide.
    Source: CoaT, arXiv 2104.06399, section 3.1, equation 7.
    """

    def __init__(self, num_heads=8, windows=WINDOWS, kernel_initializer=None, **kwargs):
        super().__init__(**kwargs)
        check_counts(num_heads=num_heads)
        self.num_heads = num_heads
        self.windows = tuple(map(tuple, windows))
        self.kernel_initializer = kernel_initializer
        for side, _ in self.windows:
            check_odd("a window's side", side)
        if len({side for side, _ in self.windows}) != len(self.windows):
            raise ValueError(f"windows must have sides of their own; got {self.windows}.")
        if sum(heads for _, heads in self.windows) != num_heads:
            raise ValueError(f"windows must have num_heads={num_heads} heads together; got {self.windows}.")

    def build(self, input_shape):
        head_dim, rest = divmod(input_shape[-1], self.num_heads)
        if rest:
            raise ValueError(f"Channels must be a multiple of num_heads={self.num_heads}; got {input_shape[-1]}.")
        for side, heads in self.windows:
            layer = window(side, self.kernel_initializer, f"window{side}", self.dtype_policy)
            setattr(self, layer.name, layer)
            layer.build((*input_shape[:-1], heads * head_dim))

    def call(self, x):
        layers = [getattr(self, f"window{side}") for side, _ in self.windows]
        values = [value for layer in layers for value in (layer.kernel, layer.bias)]
        return [ops.cast(value, self.compute_dtype) for value in values]

    def offset_values(self, sides=None):
        """The windows as pictures, each the mean of its head's channels; turned around, as tables of offsets are.

        Shapes: -> (heads, side, side), the largest window's side.
        """
        largest = max(side for side, _ in self.windows)
        pictures = []
        for side, heads in self.windows:
            kernel = ops.convert_to_tensor(getattr(self, f"window{side}").kernel)
            means = ops.mean(ops.reshape(kernel, (side, side, heads, -1)), axis=-1)
            edge = (largest - side) // 2
            pictures.append(ops.pad(ops.transpose(means, (2, 0, 1)), [[0, 0], [edge, edge], [edge, edge]]))
        # A window says what is read below and to the right; a table, who reads from there.
        return ops.flip(ops.concatenate(pictures, axis=0), axis=(1, 2))

    def compute_output_shape(self, input_shape):
        head_dim = input_shape[-1] // self.num_heads
        return [
            shape for side, heads in self.windows for shape in ((side, side, heads * head_dim, 1), (heads * head_dim,))
        ]

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "windows": self.windows,
            "kernel_initializer": serialize_initializer(self.kernel_initializer),
        }


def convolve_values(values, windows):
    """DWConv(v): every group of channels by its window.

    Args:
        values: (B, H, W, C).
        windows: what `ConvRelativePosition` gives.
    """
    found, start = [], 0
    for kernel, bias in zip(windows[::2], windows[1::2], strict=True):
        end = start + kernel.shape[2]
        found.append(convolve_depthwise(values[..., start:end], kernel) + bias)
        start = end
    return ops.concatenate(found, axis=-1)


def window(side, initializer, name, dtype):
    """A depthwise convolution that keeps a map's size, started as PyTorch does."""
    return DepthwiseConv2D(
        side,
        padding="symmetric",
        depthwise_initializer=initializer or UniformFanIn(),
        bias_initializer=UniformFanIn(fan_in=side**2),
        name=name,
        dtype=dtype,
    )


def check_odd(argument, side):
    """Raise a ValueError unless a window has a centre."""
    check_counts(**{argument.replace(" ", "_"): side})
    if side % 2 == 0:
        raise ValueError(f"{argument} must be odd; got {side}. Nearest: {side - 1} or {side + 1}.")
