"""The smallest distance between two classes of one group.

CosPlace promises that classes of a group are M(N-1) metres or alpha(L-1) degrees
apart. This measures it on the classes as they are, not on the formula.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_TURN_DEG = 360
# Half of the neighbours of a bucket; the other half sees the pair from the other side.
_NEIGHBOURS = ((0, 0), (0, 1), (1, -1), (1, 0), (1, 1))
_PAIRS_AT_ONCE = 1 << 20


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


def _smallest_metres(cells: np.ndarray, size_m: int, bucket_m: int) -> float | None:
    """Joins cells with those in the same and in neighbouring buckets of M * N metres.

    Pairs that are not joined are at least a bucket apart.
    """
    buckets = cells.copy()
    buckets[:, 2:] //= bucket_m
    buckets -= buckets.min(axis=0) - 1  # room for neighbours on both sides
    extent = buckets.max(axis=0) + 2
    keys = _bucket_keys(buckets, extent)
    order = np.argsort(keys, kind="stable")
    cells, buckets, keys = cells[order], buckets[order], keys[order]
    smallest = np.inf
    for east, north in _NEIGHBOURS:
        neighbour_keys = _bucket_keys(buckets + np.array([0, 0, east, north]), extent)
        first = np.searchsorted(keys, neighbour_keys, "left")
        last = np.searchsorted(keys, neighbour_keys, "right")
        if (east, north) == (0, 0):
            first = np.arange(1, len(keys) + 1)
        smallest = min(smallest, _smallest_joined(cells, first, last, size_m))
    return None if smallest == np.inf else float(smallest)


def _bucket_keys(buckets: np.ndarray, extent: np.ndarray) -> np.ndarray:
    keys = buckets[:, 0]
    for axis in range(1, buckets.shape[1]):
        keys = keys * extent[axis] + buckets[:, axis]
    return keys


def _smallest_joined(
    cells: np.ndarray, first: np.ndarray, last: np.ndarray, size_m: int
) -> float:
    """Smallest gap between cell i and the cells first[i] to last[i]."""
    smallest = np.inf
    has_partner = np.flatnonzero(last > first)
    for start in range(0, len(has_partner), _PAIRS_AT_ONCE):
        left = has_partner[start : start + _PAIRS_AT_ONCE]
        right = first[left]
        while len(left):
            gap = np.abs(cells[left, 2:] - cells[right, 2:]) - size_m
            gap_m = np.hypot(*np.maximum(gap, 0).T.astype(np.float64))
            smallest = min(smallest, float(gap_m.min()))
            right = right + 1
            more = right < last[left]
            left, right = left[more], right[more]
    return smallest


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
