"""Gaps in lines of photos: where a street with photos has none for a while.

Nothing is known of streets but where photos are. A line of photos ends at a photo that
has others behind it, a cell apart, and none ahead. If another line ends opposite, in
the same direction and not aside of it, there is a gap between the two. Houses between
two parallel streets are no gap, nor is a street that ends.
"""

from __future__ import annotations

import numpy as np

from vpr_tf.photos.distinct_rows import distinct_rows

# Lengths in sides of a cell.
_LINE = (1.0, 2.0, 3.0, 4.0)  # behind its end a line has photos near these points
_NEAR = 0.5
_AHEAD = 1.5  # and none within a cell of this point
# To the left and right of these points behind there are photos at two at most: one
# street may cross, but rows of a dense area are no line.
_ALONE, _BESIDE, _MOST_BESIDE = (0.0, 1.0, 2.0), 1.2, 2
_GAP = 6.0  # what is farther ahead is another street
_ASIDE = 0.75  # what is farther aside is, too
_STEP = 0.5
_DIRECTIONS = 32  # around the circle


def missing_cells(positions_m: np.ndarray, cell_size_m: float) -> np.ndarray:
    """Returns the empty cells in gaps of lines of photos.

    Args:
        positions_m: Of photos `(num_photos, 2)`, in one zone.
        cell_size_m: Side of a cell.

    Returns:
        Numbers of cells from the origin `(num_missing, 2)`, int64, in order, each once:
        those through which a gap goes, no photo within the side of a cell.
    """
    from scipy.spatial import cKDTree

    # Photos of one place, to a quarter of a cell, are one point.
    quarters = np.empty(positions_m.shape, np.int64)
    for column, metres in zip(quarters.T, positions_m.T, strict=True):
        column[:] = np.floor(metres / cell_size_m * 4)
    points = quarters[distinct_rows(quarters)[0]] / 4 + 1 / 8
    tree = cKDTree(points)
    angles = np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS
    directions = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    ends = [_line_ends(points, direction, tree) for direction in directions]
    inside = np.concatenate(
        [
            _between(points[ends[turn]], points[ends[opposite]], directions[turn])
            for turn in range(_DIRECTIONS // 2)
            for opposite in [turn + _DIRECTIONS // 2]
        ]
    )
    away, _ = tree.query(inside)
    return np.unique(np.floor(inside[away > 1]).astype(np.int64), axis=0)


def _line_ends(points: np.ndarray, direction: np.ndarray, tree: object) -> np.ndarray:
    """Returns the rows of points at which a line in some direction ends."""
    rows = np.arange(len(points))
    rows = rows[~_has_near(points + _AHEAD * direction, 1.0, tree)]
    for behind in _LINE:
        rows = rows[_has_near(points[rows] - behind * direction, _NEAR, tree)]
    across = _BESIDE * np.array([-direction[1], direction[0]])
    num_beside = sum(
        _has_near(points[rows] - behind * direction + aside, _NEAR, tree).astype(int)
        for behind in _ALONE
        for aside in (across, -across)
    )
    return rows[num_beside <= _MOST_BESIDE]


def _has_near(places: np.ndarray, radius: float, tree: object) -> np.ndarray:
    away, _ = tree.query(places, distance_upper_bound=radius)  # type: ignore[attr-defined]
    return np.isfinite(away)


def _between(
    ends: np.ndarray, opposite: np.ndarray, direction: np.ndarray
) -> np.ndarray:
    """Returns points between ends of lines and the nearest that end opposite.

    Args:
        ends: `(num_ends, 2)`.
        opposite: Ends of lines that come from ahead.
        direction: Unit vector ahead.
    """
    from scipy.spatial import cKDTree

    found = [np.empty((0, 2))]
    if len(opposite):
        near_rows = cKDTree(opposite).query_ball_point(ends, _GAP)
        for end, near in zip(ends, near_rows, strict=True):
            offsets = opposite[near] - end
            along = offsets @ direction
            aside = np.abs(offsets @ [-direction[1], direction[0]])
            facing = offsets[(along > _AHEAD) & (aside < _ASIDE)]
            if len(facing):
                gap = facing[np.argmin(facing @ direction)]
                length = float(np.linalg.norm(gap))
                steps = np.arange(_STEP, length, _STEP)[:, None] / length
                found.append(end + steps * gap)
    return np.concatenate(found)
