"""Flags of what is said of photos: positions that jump, headings that nobody measured.

Both show beside the other photos of a sequence, see `sequences.py`.
"""

from __future__ import annotations

import numpy as np

from vpr_tf.config import QualityConfig
from vpr_tf.geo import ecef
from vpr_tf.photos.quality.rules import Finding, MeasuredPhotos, Rule
from vpr_tf.photos.quality.sequences import sequences_of

_KMH = 3.6  # of a metre a second
# Positions of phones in a street canyon are this wrong; a second photo is a new one.
_POSITION_ERROR_M = 25.0
# Where more photos of a folder jump, they are not of one drive.
_MOST_JUMPS = 0.2
# A car turns its nose by a degree or more over so many photos and metres.
_FEWEST_HEADINGS, _LEAST_EXTENT_M = 10, 50.0


def _position_jump(photos: MeasuredPhotos, config: QualityConfig) -> Finding | None:
    """Flags photos that their sequence could not have reached in time.

    The longest run of photos that could be driven is taken as right; from it, both
    ways, a photo is right if it could be reached from the last right one. Over a gap in
    time a camera may go farther, so what follows a gap is right again.
    """
    table = photos.files.photos
    points = ecef.from_positions(table.positions)
    placed = np.isfinite(points).all(axis=1)
    flagged, speeds = np.zeros(len(photos), bool), np.full(len(photos), np.nan)
    for sequence in sequences_of(table):
        timed = np.isfinite(sequence.seconds) & placed[sequence.rows]
        rows = sequence.rows[timed]
        if len(rows) < 2:
            continue
        times = sequence.seconds[timed], sequence.resolution_s[timed]
        jumps, kmh = jumps_of(points[rows], *times, config.max_speed_kmh)
        if jumps.mean() <= _MOST_JUMPS:
            flagged[rows], speeds[rows] = jumps, kmh
    return Finding(flagged, speeds) if np.isfinite(speeds).any() else None


def jumps_of(
    points: np.ndarray,
    seconds: np.ndarray,
    resolution_s: np.ndarray,
    max_speed_kmh: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns which photos of a sequence jump, and how fast each was reached.

    Args:
        points: Metres `(num_photos, 3)`, in the order of time.
        seconds: Of each photo.
        resolution_s: How exact these are.
        max_speed_kmh: What can be driven.

    Returns:
        bool, and km/h from the last right photo, less the error of positions.
    """

    def kmh(one: int | slice, other: int | slice) -> np.ndarray:
        apart_m = np.linalg.norm(points[one] - points[other], axis=-1)
        # Both times are cut off, so up to a whole step lies between.
        apart_s = np.abs(seconds[one] - seconds[other])
        apart_s = apart_s + np.maximum(resolution_s[one], resolution_s[other])
        return np.maximum(apart_m - _POSITION_ERROR_M, 0) / apart_s * _KMH

    count = len(points)
    steps = kmh(slice(0, -1), slice(1, None))
    breaks = np.flatnonzero(steps > max_speed_kmh)
    starts, ends = np.append(0, breaks + 1), np.append(breaks + 1, count)
    longest = int(np.argmax(ends - starts))
    jumps, speeds = np.zeros(count, bool), np.append(steps[:1], steps)
    for way in (
        range(int(ends[longest]), count),
        range(int(starts[longest]) - 1, -1, -1),
    ):
        right = way.start - way.step
        for photo in way:
            speeds[photo] = kmh(photo, right)
            jumps[photo] = speeds[photo] > max_speed_kmh
            right = right if jumps[photo] else photo
    return jumps, speeds


def _heading_missing(photos: MeasuredPhotos, config: QualityConfig) -> Finding | None:
    """Flags photos without a heading; not where no photo at all has one."""
    headings = photos.files.photos.heading_deg
    if not (headings >= 0).any():
        return None
    return Finding(headings < 0, np.where(headings >= 0, headings, np.nan))


def _heading_constant(photos: MeasuredPhotos, config: QualityConfig) -> Finding | None:
    """Flags sequences that move and whose headings are all the same."""
    table = photos.files.photos
    points = ecef.from_positions(table.positions)
    if not (table.heading_deg >= 0).any():
        return None
    flagged = np.zeros(len(photos), bool)
    for sequence in sequences_of(table):
        known = sequence.rows[table.heading_deg[sequence.rows] >= 0]
        flagged[known] = _is_constant(table.heading_deg[known], points[known])
    return Finding(flagged, np.where(flagged, table.heading_deg, np.nan))


def _is_constant(heading_deg: np.ndarray, points: np.ndarray) -> bool:
    if len(heading_deg) < _FEWEST_HEADINGS or np.ptp(heading_deg) > 0:
        return False
    placed = points[np.isfinite(points).all(axis=1)]
    return bool(
        len(placed) and np.linalg.norm(np.ptp(placed, axis=0)) >= _LEAST_EXTENT_M
    )


POSITION_RULES = (
    Rule("position_jump", "speed_kmh", "max_speed_kmh", _position_jump),
    Rule("heading_missing", "heading_deg", "", _heading_missing),
    Rule("heading_constant", "constant_heading_deg", "", _heading_constant),
)
