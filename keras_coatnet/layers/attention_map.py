"""What an attention layer looks at, for people to see: one kind of map for each kind of attention."""

from typing import NamedTuple

from keras import ops


class AttentionMap(NamedTuple):
    """How much each pixel reads of each pixel.

    weights: (B, heads, H, W, H, W), the first two sides of the pixel that reads, the last two of those it reads. Each
        map of a reading pixel adds up to 1, unless a bias was added behind the softmax.
    """

    weights: object

    @property
    def sides(self):
        """(H, W)"""
        return tuple(self.weights.shape[-2:])

    def from_pixel(self, row, column):
        """What the pixel reads. Shapes: -> (B, heads, H, W)"""
        return self.weights[:, :, row, column]

    def overall(self):
        """What all pixels read, on average. Shapes: -> (B, heads, H, W)"""
        return ops.mean(self.weights, axis=(2, 3))


class FactorizedAttentionMap(NamedTuple):
    """Attention that never compares two pixels: each of d channels gathers the map its own way, and pixels mix these.

    keys: (B, heads, H, W, d), how much each channel gathers of each pixel; over all pixels, and a class token that is
        not shown, a channel adds up to 1.
    queries: (B, heads, H, W, d), how each pixel mixes the channels, of either sign.
    """

    keys: object
    queries: object

    @property
    def sides(self):
        """(H, W)"""
        return tuple(self.keys.shape[2:4])

    def from_pixel(self, row, column):
        """What reaches the pixel of each pixel, q (softmax(k))^T / sqrt(d): of either sign, and no sum is fixed.

        Shapes: -> (B, heads, H, W)
        """
        query = self.queries[:, :, row, column]  # (B, heads, d)
        return ops.einsum("bhd,bhyxd->bhyx", query, self.keys) * query.shape[-1] ** -0.5

    def overall(self):
        """How much each pixel is gathered, on average over the channels. Shapes: -> (B, heads, H, W)"""
        return ops.mean(self.keys, axis=-1)
