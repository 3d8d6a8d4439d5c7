"""Dense layers that start as torch's do."""

from __future__ import annotations

from typing import Any

import keras


def torch_linear(inputs: int, units: int, **kwargs: Any) -> keras.layers.Dense:
    """Returns a dense layer with the initial weights of torch's `Linear`.

    Weights and bias are uniform within 1 / sqrt(inputs), where Keras's are Glorot
    uniform and zero.

    Args:
        inputs: Length of its input.
        units: Length of its output.
        **kwargs: Keyword arguments of `keras.layers.Dense`.
    """
    limit = inputs**-0.5
    return keras.layers.Dense(
        units,
        kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
        bias_initializer=keras.initializers.RandomUniform(-limit, limit),
        **kwargs,
    )
