"""Gradient reversal: what comes after learns, what comes before unlearns it."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="vpr_tf")
class GradientReversal(keras.layers.Layer):
    """The identity, whose gradient is multiplied by a negative factor.

    Args:
        factor: The gradient is multiplied by `-factor` (lambda in the paper).
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        Any.

    Output shape:
        Same as the input.

    Reference:
        Ganin and Lempitsky, "Unsupervised Domain Adaptation by Backpropagation",
        arXiv:1409.7495.
    """

    def __init__(self, factor: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not (factor >= 0 and math.isfinite(factor)):
            raise ValueError(
                f"`factor` must be 0 or more, e.g. 1.0. Received: factor={factor}"
            )
        self.factor = factor
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs):
        @ops.custom_gradient
        def reverse(x):
            return x, lambda upstream: -self.factor * upstream

        return reverse(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = super().get_config()
        config.update({"factor": self.factor})
        return config
