"""Pooling by attention of a learned query."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from vpr_tf.layers._construction import check_feature_map


@keras.saving.register_keras_serializable(package="vpr_tf")
class AttentionPooling2D(keras.layers.Layer):
    """Pools the locations of a feature map by multi-head attention.

    A learned query attends to all locations; the result goes through a block of a
    transformer: `h = LN(query + attention)`, `LN(h + relu(Dense(h)))`. That is the
    Set Transformer's pooling by multi-head attention with one seed, without a dense
    layer before it, since the backbone ends in one. Positions are seen only as far
    as the features say, so images of any size will do. Computes in float32
    whatever the dtype policy, and returns the compute dtype.

    Args:
        num_heads: Number of heads; must divide the number of channels.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, channels)`.

    Reference:
        Lee et al., "Set Transformer: A Framework for Attention-based
        Permutation-Invariant Neural Networks", arXiv:1810.00825.
    """

    def __init__(self, num_heads: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_heads < 1:
            raise ValueError(
                f"`num_heads` must be 1 or more, e.g. 8. Received: {num_heads}"
            )
        self.num_heads = num_heads

    def build(self, input_shape):
        check_feature_map("Attention pooling", input_shape)
        channels = input_shape[3]
        if channels % self.num_heads:
            raise ValueError(
                "`num_heads` must divide the number of channels. Received: "
                f"num_heads={self.num_heads}, channels={channels}"
            )
        self.query = self.add_weight(
            name="query",
            shape=(1, channels),
            dtype="float32",
            initializer="glorot_uniform",
            autocast=False,
        )
        self.attention = keras.layers.MultiHeadAttention(
            self.num_heads,
            channels // self.num_heads,
            dtype="float32",
            name="attention",
        )
        self.dense = keras.layers.Dense(
            channels, activation="relu", dtype="float32", name="dense"
        )
        self.attention_norm, self.output_norm = (
            keras.layers.LayerNormalization(epsilon=1e-5, dtype="float32", name=name)
            for name in ("attention_norm", "output_norm")
        )
        pooled_shape = (input_shape[0], 1, channels)
        self.attention.build(pooled_shape, (input_shape[0], None, channels))
        for layer in (self.attention_norm, self.dense, self.output_norm):
            layer.build(pooled_shape)

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        _, height, width, channels = ops.shape(x)
        x = ops.reshape(x, (-1, height * width, channels))
        query = ops.convert_to_tensor(self.query)[None]
        query = ops.broadcast_to(query, (ops.shape(x)[0], 1, channels))
        pooled = self.attention_norm(query + self.attention(query, x))
        outputs = self.output_norm(pooled + self.dense(pooled))
        return ops.cast(outputs[:, 0], self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[3])

    def get_config(self):
        config = super().get_config()
        config.update({"num_heads": self.num_heads})
        return config
