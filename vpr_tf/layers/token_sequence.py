"""A transformer's patches as a map and tokens, and as one sequence."""

from __future__ import annotations

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

    Input shape:
        A list of the sequence `(batch, num_tokens + height * width, channels)` and of
        two tensors of which only the shapes are used: patches
        `(batch, height, width, channels)` and tokens `(batch, num_tokens, channels)`.

    Output shape:
        A list of the shapes of these two.
    """

    def call(self, inputs):
        sequence, patches, tokens = inputs
        num_tokens = tokens.shape[1]
        return [
            ops.reshape(sequence[:, num_tokens:], ops.shape(patches)),
            sequence[:, :num_tokens],
        ]

    def compute_output_shape(self, input_shape):
        return [tuple(shape) for shape in input_shape[1:]]
