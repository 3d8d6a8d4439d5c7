"""Waves of random frequencies, by which a network tells near positions apart."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="vpr_tf")
class FourierFeatures(keras.layers.Layer):
    """Cosines, then sines, of the inputs at random frequencies that do not train.

    Args:
        num_frequencies: Number of waves.
        scale: Standard deviation of the frequencies, in waves for an input of 1.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, num_inputs)`.

    Output shape:
        `(batch, 2 * num_frequencies)`.

    Reference:
        Tancik et al., "Fourier Features Let Networks Learn High Frequency Functions in
        Low Dimensional Domains", arXiv:2006.10739.
    """

    def __init__(
        self, num_frequencies: int = 256, scale: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if num_frequencies < 1:
            raise ValueError(
                "`num_frequencies` must be 1 or more. "
                f"Received: num_frequencies={num_frequencies}"
            )
        if not 0 < scale < math.inf:
            raise ValueError(f"`scale` must be above 0. Received: scale={scale}")
        self.num_frequencies = num_frequencies
        self.scale = scale

    def build(self, input_shape):
        self.frequencies = self.add_weight(
            name="frequencies",
            shape=(self.num_frequencies, input_shape[-1]),
            initializer=keras.initializers.RandomNormal(stddev=self.scale),
            trainable=False,
        )

    def call(self, inputs):
        angles = 2 * math.pi * ops.matmul(inputs, ops.transpose(self.frequencies))
        return ops.concatenate([ops.cos(angles), ops.sin(angles)], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2 * self.num_frequencies)

    def get_config(self):
        return super().get_config() | {
            "num_frequencies": self.num_frequencies,
            "scale": self.scale,
        }
