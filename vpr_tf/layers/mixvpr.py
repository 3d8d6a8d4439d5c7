"""MixVPR: perceptrons that mix the locations of a feature map."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from vpr_tf.layers._construction import check_feature_map, torch_linear
from vpr_tf.layers.l2_normalization import unit_vectors


@keras.saving.register_keras_serializable(package="vpr_tf")
class FeatureMixer(keras.layers.Layer):
    """A perceptron over the last axis with a residual connection.

    `x + Dense(relu(Dense(LayerNormalization(x))))`, in float32.

    Args:
        hidden_dim: Units of the first dense layer.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, ..., length)`.

    Output shape:
        Same as the input.
    """

    def __init__(self, hidden_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim

    def build(self, input_shape):
        self.normalization = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype="float32", name="normalization"
        )
        self.hidden = _mixing_dense(self.hidden_dim, "hidden", "relu")
        self.output_dense = _mixing_dense(input_shape[-1], "output")
        self.normalization.build(input_shape)
        self.hidden.build(input_shape)
        self.output_dense.build((*input_shape[:-1], self.hidden_dim))

    def call(self, inputs):
        return inputs + self.output_dense(self.hidden(self.normalization(inputs)))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = super().get_config()
        config.update({"hidden_dim": self.hidden_dim})
        return config


@keras.saving.register_keras_serializable(package="vpr_tf")
class MixVPR(keras.layers.Layer):
    """Mixes the locations of each channel, then projects channels and locations.

    The weights belong to the locations, so height and width must be known when the
    layer is built and stay the same. Computes in float32 whatever the dtype policy,
    and returns the compute dtype.

    Args:
        out_channels: Channels after the projection.
        out_rows: Values that are left of the locations of each channel.
        mix_depth: Number of feature mixers.
        mlp_ratio: Hidden units of a mixer over the number of locations.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, out_channels * out_rows)`, unit length, channel after channel.

    Reference:
        Ali-bey et al., "MixVPR: Feature Mixing for Visual Place Recognition",
        arXiv:2303.02190.
    """

    def __init__(
        self,
        out_channels: int = 1024,
        out_rows: int = 4,
        mix_depth: int = 4,
        mlp_ratio: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value, low in (
            ("out_channels", out_channels, 1),
            ("out_rows", out_rows, 1),
            ("mix_depth", mix_depth, 0),
        ):
            if value < low:
                raise ValueError(f"`{name}` must be {low} or more. Received: {value}")
        if not mlp_ratio > 0:
            raise ValueError(
                f"`mlp_ratio` must be positive, e.g. 1.0. Received: {mlp_ratio}"
            )
        self.out_channels = out_channels
        self.out_rows = out_rows
        self.mix_depth = mix_depth
        self.mlp_ratio = mlp_ratio

    def build(self, input_shape):
        check_feature_map("MixVPR", input_shape)
        batch, height, width, channels = input_shape
        if height is None or width is None:
            raise ValueError(
                "MixVPR's weights belong to the locations of the feature map: height "
                "and width must be known. Received: input_shape="
                f"{tuple(input_shape)}. Set the image size of the encoder."
            )
        self.input_spec = keras.layers.InputSpec(
            shape=(None, height, width, channels), allow_last_axis_squeeze=False
        )
        locations = height * width
        hidden_dim = int(locations * self.mlp_ratio)
        self.mixers = [
            FeatureMixer(hidden_dim, dtype="float32", name=f"mixer{number}")
            for number in range(self.mix_depth)
        ]
        for mixer in self.mixers:
            mixer.build((batch, channels, locations))
        self.channel_projection = torch_linear(
            channels, self.out_channels, dtype="float32", name="channel_projection"
        )
        self.row_projection = torch_linear(
            locations, self.out_rows, dtype="float32", name="row_projection"
        )
        self.channel_projection.build((batch, locations, channels))
        self.row_projection.build((batch, self.out_channels, locations))

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        _, height, width, channels = self.input_spec.shape
        # With -1 for the batch, a map twice as high would pass for two images.
        x = ops.reshape(x, (ops.shape(x)[0], height * width, channels))
        x = ops.transpose(x, (0, 2, 1))
        for mixer in self.mixers:
            x = mixer(x)
        x = self.channel_projection(ops.transpose(x, (0, 2, 1)))
        x = self.row_projection(ops.transpose(x, (0, 2, 1)))
        outputs = ops.reshape(x, (-1, self.out_channels * self.out_rows))
        return ops.cast(unit_vectors(outputs), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.out_channels * self.out_rows)

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "out_channels": self.out_channels,
                "out_rows": self.out_rows,
                "mix_depth": self.mix_depth,
                "mlp_ratio": self.mlp_ratio,
            }
        )
        return config


def _mixing_dense(
    units: int, name: str, activation: str | None = None
) -> keras.layers.Dense:
    return keras.layers.Dense(
        units,
        activation=activation,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.02),
        dtype="float32",
        name=name,
    )
