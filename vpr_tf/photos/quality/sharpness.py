"""How sharp the strong edges of an image are, whatever its contrast and noise.

The variance of the Laplacian, which is usual, grows with noise: a blurred photo of the
night passes. Here the profiles across strong edges are looked at. A sharp edge rises
within two pixels, a blurred one over many; noise changes neither the rise nor which
edges are strong. Blur by motion leaves edges along its direction sharp, so the worse of
the two axes counts.
"""

from __future__ import annotations

import numpy as np

_LINES_AVERAGED = 3  # neighbouring ones, against noise
_STEP_PX = 6  # from one average to the next
_WIDE_PX = 8  # a strong edge differs at this distance
_PROFILE_PX = 13
_STRONG_SHARE = 0.01  # of all places, the strongest edges
_LEAST_RISE = 10.0  # grey levels
_FEWEST_STRONG = 60  # of small images
_LEAST_EDGES = 20
_SHARPEST = 0.9  # quantile: many edges, as of clouds, are soft in sharp photos


def sharpness(grey: np.ndarray) -> float:
    """Returns the sharpness of the edges of an image.

    Args:
        grey: uint8 `(height, width)`.

    Returns:
        Part of the height of an edge that it rises within two pixels, 0 to 1, of the
        less sharp axis; NaN where there are no edges.
    """
    axes = [_edge_sharpness(lines) for lines in (grey, grey.T)]
    known = [value for value in axes if not np.isnan(value)]
    return min(known, default=float("nan"))


def _edge_sharpness(grey: np.ndarray) -> float:
    """Returns the sharpness of edges along the rows; NaN where there are few."""
    lines = np.zeros((len(grey) // _STEP_PX, grey.shape[1]), np.int16)
    if not len(lines) or lines.shape[1] < _PROFILE_PX + 2:
        return float("nan")
    for start in range(_LINES_AVERAGED):
        lines += grey[start::_STEP_PX][: len(lines)]
    smooth = lines[:, :-2] + 2 * lines[:, 1:-1] + lines[:, 2:]
    profiles = np.lib.stride_tricks.sliding_window_view(smooth, _PROFILE_PX, axis=1)
    profiles = profiles[_strong_edges(smooth)].astype(np.float32)
    profiles /= 4 * _LINES_AVERAGED
    rises = np.ptp(profiles, axis=1)
    slopes = np.abs(profiles[:, 2:] - profiles[:, :-2]).max(axis=1)
    slopes, rises = slopes[rises >= _LEAST_RISE], rises[rises >= _LEAST_RISE]
    if len(rises) < _LEAST_EDGES:
        return float("nan")
    return float(np.quantile(slopes / rises, _SHARPEST))


def _strong_edges(smooth: np.ndarray) -> tuple[np.ndarray, ...]:
    """Returns line and start of the profiles across the strongest edges."""
    margin = (_PROFILE_PX - 1 - _WIDE_PX) // 2
    width = smooth.shape[1] - _PROFILE_PX + 1
    wide = np.abs(
        smooth[:, margin + _WIDE_PX :][:, :width] - smooth[:, margin:][:, :width]
    )
    # Whole numbers up to 255 * 12: counting them is faster than sorting.
    counts = np.cumsum(np.bincount(wide.ravel())[::-1])
    num_strong = max(_STRONG_SHARE * wide.size, _FEWEST_STRONG)
    rank = int(np.searchsorted(counts, num_strong))
    return np.nonzero(wide >= max(len(counts) - 1 - rank, 1))
