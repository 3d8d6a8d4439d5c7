"""Small maps of an image: brightness and detail of 16 x 16 cells."""

from __future__ import annotations

import numpy as np
from PIL import Image

MAP_CELLS = (16, 16)
_DETAIL_SCALE = 8  # 255 is a mean difference of 32 grey levels


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
        uint8 `MAP_CELLS`: eight times the difference in grey levels, up to 255.
    """
    levels = grey.astype(np.int16)
    across = np.abs(np.diff(levels, axis=1, append=levels[:, -1:]))
    down = np.abs(np.diff(levels, axis=0, append=levels[-1:]))
    differences = np.minimum((across + down) * (_DETAIL_SCALE // 2), 255)
    return _cell_means(differences.astype(np.uint8))


def _cell_means(values: np.ndarray) -> np.ndarray:
    rows, columns = MAP_CELLS
    cells = Image.fromarray(values).resize((columns, rows), Image.Resampling.BOX)
    return np.asarray(cells)
