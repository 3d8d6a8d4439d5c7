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
_MOST_WRONG = 50  # photos in a row
# Where more photos of a folder jump, they are not of one drive.
_MOST_JUMPS = 1 / 3
# So many jumps that one camera can have taken are the drive of another.
_FEWEST_OF_A_DRIVE = 10
# A car turns its nose by a degree or more over so many photos and metres.
_FEWEST_HEADINGS, _LEAST_EXTENT_M = 10, 50.0


def _position_jump(photos: MeasuredPhotos, config: QualityConfig) -> Finding | None:
    """Flags photos that are in the way of the most that one drive can have taken.

    Over a gap in time a camera may go farther, so what follows a gap is right again.
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
        jumps, kmh = _jumps_of_drives(points[rows], *times, config.max_speed_kmh)
        if jumps.mean() <= _MOST_JUMPS:
            flagged[rows], speeds[rows] = jumps, kmh
    return Finding(flagged, speeds) if np.isfinite(speeds).any() else None


def _jumps_of_drives(
    points: np.ndarray,
    seconds: np.ndarray,
    resolution_s: np.ndarray,
    max_speed_kmh: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns what `jumps_of` does, of each of the drives that share a folder."""
    jumps, speeds = jumps_of(points, seconds, resolution_s, max_speed_kmh)
    first_drive, left = np.flatnonzero(~jumps), np.flatnonzero(jumps)
    while len(left) >= _FEWEST_OF_A_DRIVE:
        others, kmh = jumps_of(
            points[left], seconds[left], resolution_s[left], max_speed_kmh
        )
        drive = left[~others]
        if len(drive) < _FEWEST_OF_A_DRIVE:
            break
        start, end = np.searchsorted(first_drive, drive[[0, -1]])
        # Within the first drive and at no time of its: a stretch of wrong positions.
        if not (start == end and 0 < start < len(first_drive)):
            jumps[drive], speeds[drive] = False, kmh[~others]
        left = left[others]
    return jumps, speeds


def jumps_of(
    points: np.ndarray,
    seconds: np.ndarray,
    resolution_s: np.ndarray,
    max_speed_kmh: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns which photos of a sequence jump, and how fast each was reached.

    The longest chain of photos is kept of which each could be reached from the one
    before; the others jump.

    Args:
        points: Metres `(num_photos, 3)`, in the order of time.
        seconds: Of each photo.
        resolution_s: How exact these are.
        max_speed_kmh: What can be driven.

    Returns:
        bool, and km/h from the photo before in the chain, less the error of positions.
    """

    def kmh(earlier: np.ndarray, later: int) -> np.ndarray:
        apart_m = np.linalg.norm(points[later] - points[earlier], axis=1)
        # Both times are cut off, so up to a whole step lies between.
        apart_s = seconds[later] - seconds[earlier]
        apart_s = apart_s + np.maximum(resolution_s[earlier], resolution_s[later])
        return np.maximum(apart_m - _POSITION_ERROR_M, 0) / apart_s * _KMH

    count = len(points)
    length, before = np.ones(count, np.int64), np.full(count, -1)
    for photo in range(1, count):
        recent = np.arange(max(photo - _MOST_WRONG, 0), photo)
        earlier = np.append(recent, np.argmax(length[:photo]))
        earlier = earlier[kmh(earlier, photo) <= max_speed_kmh]
        if len(earlier):
            # Of chains of equal length the one that goes on last.
            best = earlier[len(earlier) - 1 - np.argmax(length[earlier[::-1]])]
            length[photo], before[photo] = length[best] + 1, best
    jumps, speeds = np.ones(count, bool), np.full(count, np.nan)
    photo = int(np.argmax(length))
    while photo >= 0:
        jumps[photo], photo = False, int(before[photo])
    chain = np.flatnonzero(~jumps)
    for photo in range(count):
        near = max(int(np.searchsorted(chain, photo)) - 1, 0)
        one, other = sorted((photo, int(chain[near])))
        speeds[photo] = kmh(np.array([one]), other)[0] if one != other else 0.0
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
