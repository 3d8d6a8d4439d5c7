"""A small network beside the tokens of a frozen transformer."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="vpr_tf")
class BottleneckAdapter(keras.layers.Layer):
    """Adds to each token what a network of two layers makes of it; at first nothing.

    Args:
        hidden_dim: Width between the two layers.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, num_tokens, channels)`.

    Output shape:
        Same as the input.

    Reference:
        Houlsby et al., "Parameter-Efficient Transfer Learning for NLP",
        arXiv:1902.00751.
    """

    def __init__(self, hidden_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if hidden_dim < 1:
            raise ValueError(
                f"`hidden_dim` must be 1 or more. Received: hidden_dim={hidden_dim}"
            )
        self.hidden_dim = hidden_dim

    def build(self, input_shape):
        channels, policy = input_shape[-1], self.dtype_policy
        self.norm = keras.layers.LayerNormalization(
            epsilon=1e-6, dtype=policy, name="norm"
        )
        self.down = keras.layers.Dense(
            self.hidden_dim, "relu", dtype=policy, name="down"
        )
        self.up = keras.layers.Dense(
            channels, kernel_initializer="zeros", dtype=policy, name="up"
        )
        self.norm.build(input_shape)
        self.down.build(input_shape)
        self.up.build((*input_shape[:-1], self.hidden_dim))

    def call(self, inputs):
        return inputs + self.up(self.down(self.norm(inputs)))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"hidden_dim": self.hidden_dim}
