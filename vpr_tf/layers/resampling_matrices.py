"""Resampling of a line of values as a matrix product, with PyTorch's coordinates.

A matrix of shape `(length, size)` turns `size` values into `length`; `length` and
`size` may be tensors. Products of two such matrices resample a grid on any device,
also when compiled by XLA.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops


def cubic_matrix(length: Any, size: int, offset: float = 0.0) -> Any:
    """Bicubic interpolation (a = -0.75) that repeats the values at the ends.

    Value `i` is read at `(i + 0.5) * size / (length + offset) - 0.5`.

    Args:
        length: Number of values wanted.
        size: Number of values there are.
        offset: Added to `length` in the scale; DINOv2 was trained with 0.1.
    """
    indices = ops.cast(ops.arange(length), "float32")
    scale = size / (ops.cast(length, "float32") + offset)
    source = (indices[:, None] + 0.5) * scale - 0.5
    taps = ops.floor(source) + ops.convert_to_tensor([[-1.0, 0.0, 1.0, 2.0]])
    weights = cubic_kernel(source - taps, a=-0.75)
    places = ops.cast(ops.clip(taps, 0, size - 1), "int32")
    return ops.sum(ops.one_hot(places, size) * weights[..., None], axis=1)


def antialiased_matrix(length: Any, size: Any, kernel: Callable[[Any], Any]) -> Any:
    """Interpolation whose kernel is widened when it shrinks.

    Args:
        length: Number of values wanted.
        size: Number of values there are.
        kernel: Weight at a distance, e.g. `triangle_kernel`.
    """
    scale = ops.cast(size, "float32") / ops.cast(length, "float32")
    centers = (ops.cast(ops.arange(length), "float32") + 0.5) * scale
    places = ops.cast(ops.arange(size), "float32") + 0.5
    weights = kernel((places - centers[:, None]) / ops.maximum(scale, 1.0))
    return weights / ops.sum(weights, axis=1, keepdims=True)


def triangle_kernel(distance: Any) -> Any:
    """Weights of bilinear interpolation."""
    return ops.maximum(1.0 - ops.abs(distance), 0.0)


def cubic_kernel(distance: Any, a: float = -0.5) -> Any:
    """Weights of bicubic interpolation; PyTorch has a = -0.5 if antialiased."""
    x = ops.abs(distance)
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * a
    return ops.where(x < 1.0, near, ops.where(x < 2.0, far, 0.0))
