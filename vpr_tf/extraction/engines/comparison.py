"""Whether two computations of an encoder give the same descriptors."""

from __future__ import annotations

from typing import Any

import numpy as np

from vpr_tf.config import Preprocessing
from vpr_tf.extraction.engines import Forward
from vpr_tf.extraction.errors import EncoderError

# Smallest cosine with the descriptor that TensorFlow computes in float32. It tells a
# wrong conversion (0.7 and less) from rounding, which is all but harmless: bfloat16 has
# 8 bits of mantissa, and EfficientNetLite0 trained on night photos kept its R@1 with
# cosines from 0.96, in int8 from 0.94.
SMALLEST_COSINES = {
    "float32": 0.9999,
    "bfloat16": 0.95,
    "float16": 0.99,
    "int8": 0.9,
}


def difference(
    descriptor: np.ndarray, exact: np.ndarray, precision: str = "float32"
) -> str:
    """Returns how a descriptor differs from the exact one of the same image.

    The cosine must be that of the precision. Norms may differ by as much of their
    length as unit vectors of that cosine do.

    Args:
        descriptor: `(dim,)`.
        exact: `(dim,)`.
        precision: Of the computation of `descriptor`.

    Returns:
        A text for people; empty where they differ by no more than rounding.

    Example:
        >>> difference(np.ones(2), np.array([1.0, 0.0]))
        'cosine 0.7071, must be 0.9999; norm 1.414, must be 1 (1.41% off at most)'
    """
    smallest = SMALLEST_COSINES[precision.removeprefix("mixed_")]
    most_off = np.sqrt(2 - 2 * smallest)
    x, y = descriptor.astype(np.float64), exact.astype(np.float64)
    norm, exact_norm = np.linalg.norm(x), np.linalg.norm(y)
    if norm == exact_norm == 0:
        return ""
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = x @ y / (norm * exact_norm)
    if cosine >= smallest and abs(norm - exact_norm) <= most_off * exact_norm:
        return ""
    return (
        f"cosine {cosine:.4f}, must be {smallest}; norm {norm:.4g}, must be "
        f"{exact_norm:.4g} ({most_off:.2%} off at most)"
    )


def compared(forward: Forward, encoder: Any, precision: str) -> Forward:
    """Compares a converted encoder with Keras, which has checks that are not converted.

    The first image of each size.

    Args:
        forward: The converted encoder.
        encoder: The Keras model that it was made of.
        precision: That `forward` computes in.
    """
    from vpr_tf.extraction.engines.tensorflow import uncompiled_forward

    exact = uncompiled_forward(encoder, Preprocessing())
    compared_sizes: set[tuple[int, ...]] = set()

    def checked(images: Any) -> Any:
        descriptors = forward(images)
        size = tuple(images.shape[1:3])
        if size not in compared_sizes:
            _check_alike(descriptors[0], exact(images[:1])[0], precision)
            compared_sizes.add(size)
        return descriptors

    return checked


def _check_alike(descriptor: np.ndarray, exact: np.ndarray, precision: str) -> None:
    text = difference(descriptor, exact, precision)
    if text:
        raise EncoderError(
            "The conversion changes the descriptors of this encoder too much. They "
            "must be those of TensorFlow in float32, but for rounding. Received: "
            f"{text}. Use `evaluation.engine: tensorflow` and `evaluation.precision: "
            "float32`."
        )
