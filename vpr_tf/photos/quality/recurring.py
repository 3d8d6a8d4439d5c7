"""Flare and dirt: something of the lens that is in all photos of a drive.

A spot that is brighter, darker or smoother than the image around it is in any photo.
In one that moves it is each time another thing at another place; what stays at its
place from photo to photo is on the lens, or a lamp that shines into it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from vpr_tf.config import QualityConfig
from vpr_tf.geo import ecef
from vpr_tf.photos.quality.rules import Finding, MeasuredPhotos, Rule
from vpr_tf.photos.quality.sequences import sequences_of

# Photos that are compared: fewer look alike by chance, and drops dry.
_FEWEST, _MOST = 10, 40
_STEP_M = 5.0  # a camera that stands sees the same street at the same place
_RADIUS = 3  # cells of 16; a spot is smaller, and reaches none of four cells around it
_MARGIN = 8.0  # grey levels
_SMOOTHER = 0.75  # of the detail around a spot


def _flare_or_dirt(photos: MeasuredPhotos, config: QualityConfig) -> Finding | None:
    shares = np.full(len(photos), np.nan)
    for rows, moved in _runs(photos):
        maps = photos.measures[moved]
        shares[rows] = recurring_share(maps["brightness"], maps["detail"])
    flagged = shares >= config.min_recurring_share
    return Finding(flagged, shares) if np.isfinite(shares).any() else None


RECURRING_RULES = (
    Rule("flare_or_dirt", "recurring_share", "min_recurring_share", _flare_or_dirt),
)


def recurring_share(brightness: np.ndarray, detail: np.ndarray) -> float:
    """Returns the share of photos that have the same spot.

    Args:
        brightness: Maps of photos `(num_photos, 16, 16)`, see `maps.py`.
        detail: Likewise.

    Returns:
        The largest share, of all places and of bright, dark and smooth spots.
    """
    levels = brightness.astype(np.float32)
    smoothness = -np.log1p(detail.astype(np.float32))
    return max(
        float((_above_surroundings(values) > margin).mean(axis=0).max())
        for values, margin in (
            (levels, _MARGIN),
            (-levels, _MARGIN),
            (smoothness, -np.log(_SMOOTHER)),
        )
    )


def _above_surroundings(maps: np.ndarray) -> np.ndarray:
    """Returns by how much each cell is above all cells to its four sides.

    A cell at the edge has three; a corner is above none. The sky is no spot, since it
    goes on above, nor is the road.
    """
    padded = np.pad(
        maps, ((0, 0), (_RADIUS, _RADIUS), (_RADIUS, _RADIUS)), constant_values=np.nan
    )
    size = maps.shape[1]
    sides = np.stack(
        [
            padded[:, down : down + size, across : across + size]
            for down, across in (
                (0, _RADIUS),
                (2 * _RADIUS, _RADIUS),
                (_RADIUS, 0),
                (_RADIUS, 2 * _RADIUS),
            )
        ]
    )
    above = np.where(np.isnan(sides), np.inf, maps - sides).min(axis=0)
    is_corner = np.isnan(sides).sum(axis=0) > 1
    return np.where(is_corner, -np.inf, above)


def _runs(photos: MeasuredPhotos) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields rows of photos that one camera took one after the other.

    With them come those rows among them between which the camera has moved.
    """
    table = photos.files.photos
    points = ecef.from_positions(table.positions)
    for sequence in sequences_of(table):
        rows = sequence.rows[np.isfinite(sequence.seconds)]
        moved = _moved(points[rows])
        if len(moved) < _FEWEST:
            continue
        runs = np.array_split(moved, -(-len(moved) // _MOST))
        edges = [0, *(int(run[0]) for run in runs[1:]), len(rows)]
        for run, edge in zip(runs, itertools.pairwise(edges), strict=True):
            yield rows[slice(*edge)], rows[run]


def _moved(points: np.ndarray) -> list[int]:
    """Returns the photos that are a step away from the last one that is returned."""
    kept: list[int] = []
    for photo, point in enumerate(points):
        if np.isfinite(point).all() and (
            not kept or np.linalg.norm(point - points[kept[-1]]) >= _STEP_M
        ):
            kept.append(photo)
    return kept
