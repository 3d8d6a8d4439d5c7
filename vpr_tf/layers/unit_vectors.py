"""L2 normalisation inside other layers."""

from __future__ import annotations

from typing import Any

from keras import ops


def unit_vectors(x: Any, axis: int = -1, epsilon: float = 1e-12) -> Any:
    """Divides float32 vectors by `max(||x||, epsilon)`.

    The gradient of vectors shorter than `epsilon` is zero. That of the formula,
    `1 / epsilon`, would be infinite where it reaches a float16 feature map.

    Args:
        x: Float32 tensor.
        axis: Axis of the vectors.
        epsilon: Lower bound of the norm (not of its square).
    """
    square_sum = ops.sum(ops.square(x), axis=axis, keepdims=True)
    shortest = epsilon**2
    x = ops.where(square_sum > shortest, x, ops.stop_gradient(x))
    return x * ops.rsqrt(ops.maximum(square_sum, shortest))


def check_feature_map(name: str, input_shape: tuple[int | None, ...]) -> None:
    """Checks that a layer gets feature maps.

    Raises:
        ValueError: The shape is another one.
    """
    if len(input_shape) != 4 or input_shape[3] is None:
        raise ValueError(
            f"{name} takes feature maps of shape (batch, height, width, channels) "
            f"with a known number of channels. Received: input_shape="
            f"{tuple(input_shape)}"
        )
