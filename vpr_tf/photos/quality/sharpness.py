"""How sharp the strong edges of an image are."""

from __future__ import annotations

import numpy as np


def sharpness(grey: np.ndarray) -> float:
    """Returns the sharpness of the edges of an image.

    Args:
        grey: uint8 `(height, width)`.

    Returns:
        0 to 1; NaN where there are no edges.
    """
    levels = grey.astype(np.float32)
    laplacian = (
        4 * levels[1:-1, 1:-1]
        - levels[:-2, 1:-1]
        - levels[2:, 1:-1]
        - levels[1:-1, :-2]
        - levels[1:-1, 2:]
    )
    deviation = float(levels.std())
    if deviation < 1:
        return float("nan")
    return min(float(laplacian.std()) / (4 * deviation), 1.0)
