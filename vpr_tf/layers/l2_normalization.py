"""L2 normalisation whose gradient stays finite at a zero vector."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def unit_vectors(
    x: Any, axis: int = -1, epsilon: float = 1e-12, *, stop_short: bool = True
) -> Any:
    """Divides float32 vectors by `max(||x||, epsilon)`, inside other layers.

    Args:
        x: Float32 tensor.
        axis: Axis of the vectors.
        epsilon: Lower bound of the norm (not of its square).
        stop_short: Whether the gradient of vectors shorter than `epsilon` is zero.
            That of the formula, `1 / epsilon`, would be infinite where it reaches a
            float16 feature map.
    """
    square_sum = ops.sum(ops.square(x), axis=axis, keepdims=True)
    shortest = epsilon**2
    if stop_short:
        x = ops.where(square_sum > shortest, x, ops.stop_gradient(x))
    return x * ops.rsqrt(ops.maximum(square_sum, shortest))


@keras.saving.register_keras_serializable(package="vpr_tf")
class L2Normalization(keras.layers.Layer):
    """Divides by the L2 norm along one axis: `x / max(||x||, epsilon)`.

    Computes in float32 whatever the dtype policy, and returns the compute dtype.
    `keras.layers.UnitNormalization` has the same values, but compiled by XLA, or
    behind float16, its gradient at a zero vector is NaN; and after a ReLU a location
    of a feature map can be zero in all channels.

    The gradient is that of the formula: a vector shorter than `epsilon` is scaled
    by `1 / epsilon`. Float16 cannot hold that, so for float16 inputs the gradient of
    such vectors is zero.

    Args:
        axis: Axis of the vectors.
        epsilon: Lower bound of the norm (not of its square).
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        Any.

    Output shape:
        Same as the input.
    """

    def __init__(self, axis: int = -1, epsilon: float = 1e-12, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, int):
            raise TypeError(f"`axis` must be an int. Received: axis={axis!r}")
        if not epsilon > 0:
            raise ValueError(
                f"`epsilon` must be positive, e.g. 1e-12. Received: epsilon={epsilon}"
            )
        self.axis = axis
        self.epsilon = epsilon
        self.supports_masking = True
        # The gradient depends on the dtype that arrives, see `call`.
        self.autocast = False
        self._build_at_init()

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        is_float16 = keras.backend.standardize_dtype(inputs.dtype) == "float16"
        outputs = unit_vectors(x, self.axis, self.epsilon, stop_short=is_float16)
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = super().get_config()
        config.update({"axis": self.axis, "epsilon": self.epsilon})
        return config
