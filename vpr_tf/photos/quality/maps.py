"""Small maps of an image: brightness and detail of 16 x 16 cells."""

from __future__ import annotations

import numpy as np
from PIL import Image

MAP_CELLS = (16, 16)
_DETAIL_SCALE = 8
_LARGEST_DIFFERENCE = 31  # so that sums fit into a byte; a strong edge is no more


def brightness_map(grey: np.ndarray) -> np.ndarray:
    """Returns the mean grey level of every cell, uint8 `MAP_CELLS`.

    Args:
        grey: uint8 `(height, width)` of any size.
    """
    return _cell_means(grey)


def detail_map(grey: np.ndarray) -> np.ndarray:
    """Returns the mean difference of neighbouring pixels of every cell.

    Args:
        grey: uint8 `(height, width)` of any size.

    Returns:
        uint8 `MAP_CELLS`: eight times the difference in grey levels, of which more
        than 31 count as 31.
    """
    height, width = grey.shape
    if min(height, width) < 2:
        return np.zeros(MAP_CELLS, np.uint8)
    here = grey[:-1, :-1]
    both = _differences(here, grey[:-1, 1:]) + _differences(here, grey[1:, :-1])
    return _cell_means(both * np.uint8(_DETAIL_SCALE // 2))


def _differences(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.minimum(
        np.maximum(a, b) - np.minimum(a, b), np.uint8(_LARGEST_DIFFERENCE)
    )


def _cell_means(values: np.ndarray) -> np.ndarray:
    rows, columns = MAP_CELLS
    cells = Image.fromarray(values).resize((columns, rows), Image.Resampling.BOX)
    return np.asarray(cells)
