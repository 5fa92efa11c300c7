"""The layers' equations in plain NumPy, float64, pixel by pixel: nothing here is taken from the package."""

import math

import keras
import numpy as np


def values(variable):
    """A weight in float64; 0 for a bias that is not there."""
    return 0.0 if variable is None else np.asarray(keras.ops.convert_to_numpy(variable), "float64")


def relu(x):
    return np.maximum(x, 0.0)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def silu(x):
    return x * sigmoid(x)


def gelu(x):
    """x * Phi(x), Phi the standard normal distribution's integral."""
    return x * np.vectorize(lambda value: 0.5 * (1.0 + math.erf(value / math.sqrt(2.0))))(x)


def softmax(x):
    powers = np.exp(x - x.max())
    return powers / powers.sum()


def dense(layer, x):
    return x @ values(layer.kernel) + values(layer.bias)


def batch_norm(layer, x, epsilon):
    centred = x - values(layer.moving_mean)
    return centred / np.sqrt(values(layer.moving_variance) + epsilon) * values(layer.gamma) + values(layer.beta)


def layer_norm(layer, x, epsilon):
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1, keepdims=True)
    return centred / np.sqrt(variance + epsilon) * values(layer.gamma) + values(layer.beta)


def same_pads(size, kernel, stride, dilation=1):
    """Zeros (before, after) that give ceil(size / stride) outputs; the odd one goes behind."""
    total = max((math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def pads_of(padding, sides, kernel, strides, dilation=(1, 1)):
    """((top, bottom), (left, right)) of a padding by name."""
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "symmetric":
        return tuple((((k - 1) * d + 1) // 2,) * 2 for k, d in zip(kernel, dilation, strict=True))
    return tuple(same_pads(*axis) for axis in zip(sides, kernel, strides, dilation, strict=True))


def with_zeros(x, pads):
    return np.pad(x, ((0, 0), *pads, (0, 0)))


def output_side(padded, kernel, stride, dilation=1):
    return (padded - (kernel - 1) * dilation - 1) // stride + 1


def depthwise(x, kernel, strides, pads, dilation=(1, 1)):
    """y[b, h, w, c * M + m] = sum over i, j of x[b, h * s + i * d, w * s + j * d, c] * k[i, j, c, m]."""
    padded = with_zeros(x, pads)
    kernel_height, kernel_width, channels, multiplier = kernel.shape
    height = output_side(padded.shape[1], kernel_height, strides[0], dilation[0])
    width = output_side(padded.shape[2], kernel_width, strides[1], dilation[1])
    y = np.zeros((x.shape[0], height, width, channels, multiplier))
    for h in range(height):
        for w in range(width):
            for i in range(kernel_height):
                for j in range(kernel_width):
                    pixel = padded[:, h * strides[0] + i * dilation[0], w * strides[1] + j * dilation[1], :]
                    y[:, h, w] += pixel[:, :, None] * kernel[i, j]
    return y.reshape(*y.shape[:3], channels * multiplier)


def convolution(x, kernel, bias, stride, pads):
    """y[b, h, w, o] = bias[o] + sum over i, j, c of x[b, h * s + i, w * s + j, c] * k[i, j, c, o]."""
    padded = with_zeros(x, pads)
    height = output_side(padded.shape[1], kernel.shape[0], stride)
    width = output_side(padded.shape[2], kernel.shape[1], stride)
    y = np.zeros((x.shape[0], height, width, kernel.shape[3])) + bias
    for h in range(height):
        for w in range(width):
            window = padded[:, h * stride : h * stride + kernel.shape[0], w * stride : w * stride + kernel.shape[1], :]
            y[:, h, w] += np.einsum("bijc,ijco->bo", window, kernel)
    return y


def pool(x, kind, stride):
    """The largest or mean value of each window; a window that hangs over the border has fewer pixels."""
    if stride == 1:
        return x
    height, width = x.shape[1:3]
    if kind == "average":
        starts = [[(n * stride, (n + 1) * stride) for n in range(side // stride)] for side in (height, width)]
    elif kind == "max":
        # TensorFlow's SAME: a missing odd row lies behind, an even number of missing ones on both sides.
        starts = []
        for side in (height, width):
            before = same_pads(side, stride, stride)[0]
            starts.append([(n * stride - before, (n + 1) * stride - before) for n in range(math.ceil(side / stride))])
    else:
        starts = [[(n - 1, n + 2) for n in range(0, side, stride)] for side in (height, width)]
    y = np.empty((x.shape[0], len(starts[0]), len(starts[1]), x.shape[3]))
    for h, (top, bottom) in enumerate(starts[0]):
        for w, (left, right) in enumerate(starts[1]):
            window = x[:, max(top, 0) : bottom, max(left, 0) : right, :]
            y[:, h, w] = window.mean(axis=(1, 2)) if kind == "average" else window.max(axis=(1, 2))
    return y


def squeeze_excite(layer, x, activation):
    gate = sigmoid(dense(layer.expand, activation(dense(layer.reduce, x.mean(axis=(1, 2))))))
    return x * gate[:, None, None, :]


def table_bias(table, height, width):
    """bias[head, (y, x), (y', x')] = table[(y - y' + H - 1) * (2W - 1) + x - x' + W - 1, head]."""
    bias = np.empty((table.shape[1], height * width, height * width))
    for y in range(height):
        for x in range(width):
            for other_y in range(height):
                for other_x in range(width):
                    row = (y - other_y + height - 1) * (2 * width - 1) + x - other_x + width - 1
                    bias[:, y * width + x, other_y * width + other_x] = table[row]
    return bias


def network_bias(layer, height, width):
    """The same from relu(log offsets): W2 relu(W1 [sign(dy) ln(1 + |dy|), sign(dx) ln(1 + |dx|)] + b1) + b2."""
    rows = []
    for dy in range(1 - height, height):
        for dx in range(1 - width, width):
            offset = np.array([math.copysign(math.log(1 + abs(d)), d) for d in (dy, dx)])
            rows.append(dense(layer.output_values, relu(dense(layer.hidden, offset))))
    return table_bias(np.array(rows), height, width)


def attention(layer, x, heads, head_dim, bias=None, bias_after=False):
    """One query at a time. `bias` is (heads, N, N)."""
    batch, height, width, _ = x.shape
    qkv = dense(layer.qkv, x).reshape(batch, height * width, heads, 3, head_dim)
    y = np.zeros((batch, height * width, heads, head_dim))
    for b in range(batch):
        for head in range(heads):
            q, k, v = (qkv[b, :, head, part] for part in range(3))
            for token in range(height * width):
                logits = k @ q[token] / math.sqrt(head_dim)
                position = 0.0 if bias is None else bias[head, token]
                weights = softmax(logits) + position if bias_after else softmax(logits + position)
                y[b, token, head] = weights @ v
    return dense(layer.projection, y.reshape(batch, height, width, heads * head_dim))
