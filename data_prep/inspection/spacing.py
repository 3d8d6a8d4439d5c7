"""The smallest distance between two classes of one group.

CosPlace promises that classes of a group are M(N-1) metres or alpha(L-1) degrees
apart. This measures it on the classes as they are, not on the formula.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_TURN_DEG = 360


@dataclass(frozen=True)
class Spacing:
    """Smallest gaps between classes of one group and UTM zone.

    Attributes:
        metres: Between the nearest edges of two different cells; None when no two are
            within M * N metres.
        degrees: Between the nearest edges of two heading bins of one cell; None when
            no cell has two classes of a group.
    """

    metres: float | None
    degrees: float | None


def measure_spacing(
    classes: np.ndarray, cell_size_m: int, cell_stride: int, heading_bin_deg: int
) -> Spacing:
    """Measures all neighbouring classes of all groups.

    Args:
        classes: Rows of `CLASS_DTYPE`.
        cell_size_m: M.
        cell_stride: N.
        heading_bin_deg: alpha.
    """
    columns = ("group_id", "utm_zone", "cell_east_m", "cell_north_m")
    order = np.lexsort(
        (classes["heading_bin_deg"], *(classes[name] for name in reversed(columns)))
    )
    cells = np.stack([classes[name][order].astype(np.int64) for name in columns], 1)
    is_first = np.any(cells[1:] != cells[:-1], axis=1)
    starts = np.flatnonzero(np.concatenate([[True], is_first]))
    headings = classes["heading_bin_deg"][order].astype(np.int64)
    return Spacing(
        _smallest_metres(cells[starts], cell_size_m, cell_size_m * cell_stride),
        _smallest_degrees(headings, starts, heading_bin_deg),
    )


def _smallest_metres(cells: np.ndarray, size_m: int, reach_m: int) -> float | None:
    """Smallest gap between cells (group, zone, east, north) within M * N metres."""
    from scipy.spatial import cKDTree

    _, plane = np.unique(cells[:, :2], axis=0, return_inverse=True)
    corners = np.column_stack([2 * reach_m * plane.ravel(), cells[:, 2:]])
    pairs = cKDTree(corners).query_pairs(reach_m, p=np.inf, output_type="ndarray")
    if not len(pairs):
        return None
    gap = np.abs(cells[pairs[:, 0], 2:] - cells[pairs[:, 1], 2:]) - size_m
    return float(np.hypot(*np.maximum(gap, 0).T).min())


def _smallest_degrees(
    headings: np.ndarray, starts: np.ndarray, bin_deg: int
) -> float | None:
    """Smallest gap between successive bins of a cell, the last and first included."""
    ends_of_cells = np.append(starts[1:], len(headings))
    several = ends_of_cells - starts > 1
    if not several.any():
        return None
    following = np.arange(1, len(headings) + 1)
    following[ends_of_cells - 1] = starts
    start_deg = headings[following]
    end_deg = np.minimum(headings + bin_deg, _TURN_DEG)
    end_deg = np.where(headings >= _TURN_DEG, headings + bin_deg, end_deg)
    gap = start_deg - end_deg
    gap[ends_of_cells - 1] += _TURN_DEG
    in_several = np.repeat(several, ends_of_cells - starts)
    return float(max(gap[in_several].min(), 0))
