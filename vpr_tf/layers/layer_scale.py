"""One learned factor for each channel."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="vpr_tf")
class LayerScale(keras.layers.Layer):
    """Multiplies each channel by a learned factor.

    Ends a residual branch; with small initial factors a deep network starts near the
    identity.

    Args:
        initial_value: First value of all factors.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(..., channels)`.

    Output shape:
        Same as the input.

    Reference:
        Touvron et al., "Going deeper with Image Transformers", arXiv:2103.17239.
    """

    def __init__(self, initial_value: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial_value = initial_value
        self.supports_masking = True

    def build(self, input_shape):
        self.gamma = self.add_weight(
            shape=(input_shape[-1],),
            initializer=keras.initializers.Constant(self.initial_value),
            name="gamma",
        )

    def call(self, inputs):
        return inputs * self.gamma

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "initial_value": self.initial_value}
