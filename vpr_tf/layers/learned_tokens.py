"""Learned tokens of a transformer: the class token, registers."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="vpr_tf")
class LearnedTokens(keras.layers.Layer):
    """Gives the same learned vectors for every image.

    Args:
        num_tokens: Number of vectors. They are the variable `tokens`,
            `(1, num_tokens, channels)`.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, ..., channels)`: patches, of which only the shape is used.

    Output shape:
        `(batch, num_tokens, channels)`.

    Reference:
        Darcet et al., "Vision Transformers Need Registers", arXiv:2309.16588.
    """

    def __init__(self, num_tokens: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_tokens < 1:
            raise ValueError(
                f"`num_tokens` must be 1 or more. Received: num_tokens={num_tokens}"
            )
        self.num_tokens = num_tokens

    def build(self, input_shape):
        self.tokens = self.add_weight(
            name="tokens",
            shape=(1, self.num_tokens, input_shape[-1]),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        )

    def call(self, inputs):
        return ops.tile(self.tokens, (ops.shape(inputs)[0], 1, 1))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.num_tokens, input_shape[-1])

    def get_config(self):
        return super().get_config() | {"num_tokens": self.num_tokens}
