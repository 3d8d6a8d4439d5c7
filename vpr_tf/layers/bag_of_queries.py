"""Bag of Queries: learned queries gather what an image shows of a place."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from vpr_tf.layers._construction import check_feature_map, torch_linear
from vpr_tf.layers.l2_normalization import unit_vectors

_HEAD_DIM = 64
_HIDDEN_OVER_CHANNELS = 4


@keras.saving.register_keras_serializable(package="vpr_tf")
class QueryBlock(keras.layers.Layer):
    """Encodes the locations, and lets learned queries attend to them.

    The encoder is a transformer's layer that normalises after each residual sum:
    `h = LN(x + attention(x))`, `LN(h + Dense(relu(Dense(h))))`. The queries attend to
    each other, `q = LN(queries + attention(queries))`, which is the same for all
    images, and then to the encoded locations. In float32, without dropout.

    Args:
        num_queries: Number of learned queries.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, locations, channels)`; channels are a multiple of 64, the length of a
        head.

    Output shape:
        A list of the encoded locations, as the input, and of what the queries found,
        `(batch, num_queries, channels)`.
    """

    def __init__(self, num_queries: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_queries = num_queries

    def build(self, input_shape):
        channels = input_shape[-1]
        hidden = _HIDDEN_OVER_CHANNELS * channels
        self.queries = self.add_weight(
            name="queries",
            shape=(self.num_queries, channels),
            dtype="float32",
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            autocast=False,
        )
        self.encoder_attention, self.query_attention, self.attention = (
            _attention(channels, name)
            for name in ("encoder_attention", "query_attention", "attention")
        )
        norms = ("encoder_norm1", "encoder_norm2", "query_norm", "output_norm")
        self.encoder_norm1, self.encoder_norm2, self.query_norm, self.output_norm = (
            keras.layers.LayerNormalization(epsilon=1e-5, dtype="float32", name=name)
            for name in norms
        )
        self.hidden = torch_linear(
            channels, hidden, activation="relu", dtype="float32", name="hidden"
        )
        self.encoder_output = torch_linear(
            hidden, channels, dtype="float32", name="encoder_output"
        )
        locations, found = (None, None, channels), (None, self.num_queries, channels)
        self.encoder_attention.build(locations, locations)
        self.query_attention.build(found, found)
        self.attention.build(found, locations)
        for norm in (self.encoder_norm1, self.encoder_norm2):
            norm.build(locations)
        for norm in (self.query_norm, self.output_norm):
            norm.build(found)
        self.hidden.build(locations)
        self.encoder_output.build((None, None, hidden))

    def call(self, inputs):
        x = self.encoder_norm1(inputs + self.encoder_attention(inputs, inputs))
        x = self.encoder_norm2(x + self.encoder_output(self.hidden(x)))
        queries = ops.convert_to_tensor(self.queries)[None]
        queries = self.query_norm(queries + self.query_attention(queries, queries))
        shape = (ops.shape(x)[0], *queries.shape[1:])
        found = self.attention(ops.broadcast_to(queries, shape), x)
        return [x, self.output_norm(found)]

    def compute_output_shape(self, input_shape):
        return [tuple(input_shape), (input_shape[0], self.num_queries, input_shape[-1])]

    def get_config(self):
        return {**super().get_config(), "num_queries": self.num_queries}


@keras.saving.register_keras_serializable(package="vpr_tf")
class BagOfQueries(keras.layers.Layer):
    """Concatenates what the learned queries of several blocks find in a feature map.

    A 3x3 convolution to `out_channels` and a layer normalisation, then blocks of which
    each encodes the locations that the one before has encoded; the outputs of all
    queries become `out_rows` by a linear layer over the queries. Positions are seen
    only as far as the features say, so images of any size will do. Computes in float32
    whatever the dtype policy, and returns the compute dtype.

    Args:
        out_channels: Channels after the convolution; a multiple of 64.
        out_rows: Values that are left of the queries of each channel.
        num_queries: Learned queries of each block.
        num_blocks: Number of blocks.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, out_channels * out_rows)`, unit length, channel after channel.

    Reference:
        Ali-bey et al., "BoQ: A Place is Worth a Bag of Learnable Queries",
        arXiv:2405.07364.
    """

    def __init__(
        self,
        out_channels: int = 512,
        out_rows: int = 32,
        num_queries: int = 64,
        num_blocks: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        sizes = {
            "out_rows": out_rows,
            "num_queries": num_queries,
            "num_blocks": num_blocks,
        }
        for name, value in sizes.items():
            if value < 1:
                raise ValueError(f"`{name}` must be 1 or more. Received: {value}")
        if out_channels < 1 or out_channels % _HEAD_DIM:
            raise ValueError(
                f"`out_channels` must be a multiple of {_HEAD_DIM}, the length of an "
                f"attention head, e.g. 512. Received: out_channels={out_channels}"
            )
        self.out_channels = out_channels
        self.out_rows = out_rows
        self.num_queries = num_queries
        self.num_blocks = num_blocks

    def build(self, input_shape):
        check_feature_map("Bag of Queries", input_shape)
        limit = (9 * input_shape[3]) ** -0.5  # torch's, as of its linear layer
        self.convolution = keras.layers.Conv2D(
            self.out_channels,
            3,
            padding="same",
            kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
            bias_initializer=keras.initializers.RandomUniform(-limit, limit),
            dtype="float32",
            name="convolution",
        )
        self.normalization = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype="float32", name="normalization"
        )
        self.blocks = [
            QueryBlock(self.num_queries, dtype="float32", name=f"block{number}")
            for number in range(self.num_blocks)
        ]
        num_found = self.num_queries * self.num_blocks
        self.row_projection = torch_linear(
            num_found, self.out_rows, dtype="float32", name="row_projection"
        )
        locations = (None, None, self.out_channels)
        self.convolution.build(input_shape)
        for layer in (self.normalization, *self.blocks):
            layer.build(locations)
        self.row_projection.build((None, self.out_channels, num_found))

    def call(self, inputs):
        x = self.convolution(ops.cast(inputs, "float32"))
        batch, height, width, channels = ops.shape(x)
        x = self.normalization(ops.reshape(x, (batch, height * width, channels)))
        found = []
        for block in self.blocks:
            x, outputs = block(x)
            found.append(outputs)
        rows = ops.transpose(ops.concatenate(found, axis=1), (0, 2, 1))
        outputs = self.row_projection(rows)
        outputs = ops.reshape(outputs, (-1, self.out_channels * self.out_rows))
        return ops.cast(unit_vectors(outputs), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.out_channels * self.out_rows)

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "out_channels": self.out_channels,
                "out_rows": self.out_rows,
                "num_queries": self.num_queries,
                "num_blocks": self.num_blocks,
            }
        )
        return config


def _attention(channels: int, name: str) -> keras.layers.MultiHeadAttention:
    limit = (1.5 / channels) ** 0.5  # torch's: Glorot's of the three matrices as one
    return keras.layers.MultiHeadAttention(
        channels // _HEAD_DIM,
        _HEAD_DIM,
        kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
        dtype="float32",
        name=name,
    )
