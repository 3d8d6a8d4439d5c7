"""Tokens that a transformer gathers a place in, as the descriptor."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="vpr_tf")
class AggregationTokens(keras.layers.Layer):
    """Concatenates the first tokens, which were put before all others of a transformer.

    The backbone's blocks from `before_block` on let them attend to all tokens, so the
    descriptor needs no aggregation behind the backbone. The tokens themselves are
    weights of the backbone's stage that begins with them.

    Args:
        num_tokens: Number of aggregation tokens.
        before_block: Block, from 0, before which they are put.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, at least num_tokens, channels)`: tokens before the patches.

    Output shape:
        `(batch, num_tokens * channels)`, token after token.

    Reference:
        Lu et al., "Towards Implicit Aggregation: Robust Image Representation for Place
        Recognition in the Transformer Era" (ImAge), arXiv:2511.06024.
    """

    def __init__(
        self, num_tokens: int = 8, before_block: int = 8, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if num_tokens < 1:
            raise ValueError(
                f"`num_tokens` must be 1 or more. Received: num_tokens={num_tokens}"
            )
        if before_block < 0:
            raise ValueError(
                "`before_block` must be 0 or more. "
                f"Received: before_block={before_block}"
            )
        self.num_tokens = num_tokens
        self.before_block = before_block

    def call(self, inputs):
        shape = (-1, self.num_tokens * inputs.shape[-1])
        return ops.reshape(inputs[:, : self.num_tokens], shape)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.num_tokens * input_shape[-1])

    def get_config(self):
        own = {"num_tokens": self.num_tokens, "before_block": self.before_block}
        return {**super().get_config(), **own}
