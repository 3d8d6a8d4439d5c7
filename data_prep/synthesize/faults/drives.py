"""Photos of an area put in the order in which one car could have taken them."""

from __future__ import annotations

import numpy as np

from vpr_tf.geo import Positions, heading_differences_deg

SPEED_M_PER_S = 8.0  # 29 km/h, as in a town
_REACH_M = 60.0  # between two photos
_LEAST_STEP_M = 2.0
_LENGTHS = (12, 31)  # photos of a drive
_METRES_PER_DEGREE_OF_TURN = 0.5


def chain_drives(
    positions: Positions,
    heading_deg: np.ndarray,
    most_photos: int,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """Chains photos into drives: each goes on to a near photo ahead, never back.

    Args:
        positions: Known positions on the earth.
        heading_deg: Negative where unknown; a drive goes on with a near heading.
        most_photos: About how many photos are in drives; the others are left out.
        rng: Chooses where drives start and how long they are.

    Returns:
        Rows of the photos of each drive in their order; no photo is in two.
    """
    from scipy.spatial import cKDTree

    # Zones lie apart, whatever their coordinates.
    zone_m = positions.utm_zone.astype(np.float64) * 1e7
    points = positions.utm_cm / 100 + zone_m[:, None]
    tree, free = cKDTree(points), np.ones(len(points), bool)
    drives: list[np.ndarray] = []
    for start in rng.permutation(len(points)).tolist():
        if most_photos - sum(map(len, drives)) < _LENGTHS[0]:
            break
        if not free[start]:
            continue
        drive, length = [start], int(rng.integers(*_LENGTHS))
        while len(drive) < length:
            near = np.array(tree.query_ball_point(points[drive[-1]], _REACH_M))
            near = near[free[near] & ~np.isin(near, drive)]
            following = _next(near, drive, points, heading_deg)
            if following is None:
                break
            drive.append(following)
        if len(drive) >= _LENGTHS[0]:
            drives.append(np.array(drive))
            free[drive] = False
    return drives


def seconds_of(positions: Positions) -> np.ndarray:
    """Returns whole seconds since the start, `(num_photos,)`, for a drive's photos."""
    steps_m = np.hypot(*np.diff(positions.utm_cm / 100, axis=0).T)
    seconds = np.maximum(1, np.ceil(steps_m / SPEED_M_PER_S)).astype(np.int64)
    return np.concatenate([[0], np.cumsum(seconds)])


def _next(
    near: np.ndarray, drive: list[int], points: np.ndarray, heading_deg: np.ndarray
) -> int | None:
    """Returns the photo that a drive goes on to, None where there is none."""
    here = points[drive[-1]]
    steps = points[near] - here
    metres = np.hypot(*steps.T)
    ahead = metres >= _LEAST_STEP_M
    if len(drive) > 1:
        ahead &= steps @ (here - points[drive[-2]]) > 0
    if not ahead.any():
        return None
    near, metres = near[ahead], metres[ahead]
    turns = heading_differences_deg(heading_deg[near], heading_deg[drive[-1]])
    cost = metres + _METRES_PER_DEGREE_OF_TURN * np.nan_to_num(turns)
    return int(near[np.argmin(cost)])
