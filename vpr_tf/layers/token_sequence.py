"""A transformer's patches as a map and tokens, and as one sequence."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="vpr_tf")
class TokensToSequence(keras.layers.Layer):
    """Puts the patches, row by row, behind the tokens.

    Input shape:
        A list of the patches `(batch, height, width, channels)` and the tokens
        `(batch, num_tokens, channels)`.

    Output shape:
        `(batch, num_tokens + height * width, channels)`.
    """

    def call(self, inputs):
        patches, tokens = inputs
        batch, height, width, channels = ops.shape(patches)
        patches = ops.reshape(patches, (batch, height * width, channels))
        return ops.concatenate([tokens, patches], axis=1)

    def compute_output_shape(self, input_shape):
        (batch, height, width, channels), tokens = input_shape
        length = None if None in (height, width) else tokens[1] + height * width
        return (batch, length, channels)


@keras.saving.register_keras_serializable(package="vpr_tf")
class SequenceToTokens(keras.layers.Layer):
    """The inverse of `TokensToSequence`.

    Args:
        num_tokens: Tokens before the patches.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        A list of the sequence `(batch, num_tokens + height * width, channels)` and of
        patches `(batch, height, width, channels)` of which only the shape is used.

    Output shape:
        A list of the patches and the tokens `(batch, num_tokens, channels)`.
    """

    def __init__(self, num_tokens: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_tokens < 1:
            raise ValueError(
                f"`num_tokens` must be 1 or more. Received: num_tokens={num_tokens}"
            )
        # The graph of a sequence of unknown length forgets it.
        self.num_tokens = num_tokens

    def call(self, inputs):
        sequence, patches = inputs
        return [
            ops.reshape(sequence[:, self.num_tokens :], ops.shape(patches)),
            sequence[:, : self.num_tokens],
        ]

    def compute_output_shape(self, input_shape):
        patches = tuple(input_shape[1])
        return [patches, (patches[0], self.num_tokens, patches[-1])]

    def get_config(self):
        return super().get_config() | {"num_tokens": self.num_tokens}
