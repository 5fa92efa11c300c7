"""The perceptron of a transformer block: y = W2 act(W1 x). Vaswani et al., arXiv 1706.03762, section 3.3."""

import keras

from keras_coatnet.layers.activation import activation_name, get_activation
from keras_coatnet.layers.arguments import check_counts, check_rates
from keras_coatnet.layers.dropout import Dropout
from keras_coatnet.layers.fast.forward import forward
from keras_coatnet.layers.initializers import serialize_initializer
from keras_coatnet.layers.pointwise import pointwise, project
from keras_coatnet.layers.rematerialization import RematerializingLayer


@keras.saving.register_keras_serializable(package="keras_coatnet")
class Perceptron(RematerializingLayer):
    """Two linear maps over the channels with an activation between them, dropout behind each.

    Args:
        hidden_width: channels between the two.
        activation: of the hidden channels.
        use_bias: of both maps.
        dropout_rate: behind the activation and on the result.
        kernel_initializer: None is Glorot uniform.
        rematerialize: whether the hidden channels are made again for the gradients instead of being kept, where nothing
            is dropped from them.

    Shapes: (..., C) -> (..., C).
    Source: arXiv 1706.03762, section 3.3.
    """

    def __init__(
        self, hidden_width, activation="gelu", use_bias=True, dropout_rate=0.0, kernel_initializer=None, **kwargs
    ):
        super().__init__(**kwargs)
        check_counts(hidden_width=hidden_width)
        check_rates(dropout_rate=dropout_rate)
        self.hidden_width = hidden_width
        self.activation = get_activation(activation)
        self._activation = activation
        self.use_bias = use_bias
        self.dropout_rate = dropout_rate
        self.kernel_initializer = kernel_initializer

    def build(self, input_shape):
        dtype = self.dtype_policy
        linear = {"use_bias": self.use_bias, "kernel_initializer": self.kernel_initializer, "dtype": dtype}
        self.expansion = pointwise(self.hidden_width, name="expansion", **linear)
        self.hidden_dropout = Dropout(self.dropout_rate, name="hidden_dropout", dtype=dtype)
        self.projection = pointwise(input_shape[-1], name="projection", **linear)
        self.dropout = Dropout(self.dropout_rate, name="dropout", dtype=dtype)
        self.expansion.build(input_shape)
        self.projection.build((*input_shape[:-1], self.hidden_width))

    def call(self, x, training=None):
        def feed_forward(x):
            hidden = project(self.expansion, x, self.activation)
            return forward(self.projection, forward(self.hidden_dropout, hidden, training=training))

        y = self.run_part(feed_forward, x, training=training, dropout_rate=self.dropout_rate)
        return forward(self.dropout, y, training=training)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_width": self.hidden_width,
            "activation": activation_name(self._activation),
            "use_bias": self.use_bias,
            "dropout_rate": self.dropout_rate,
            "kernel_initializer": serialize_initializer(self.kernel_initializer),
        }
