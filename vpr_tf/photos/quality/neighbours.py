"""Photos that look like none near them: filed under a wrong place, or taken indoors.

How alike photos of one place are differs from encoder to encoder and from city to city.
So a photo is compared with others far away as well: one whose best neighbour is no
better than the best of as many photos from anywhere has nothing of its surroundings.
"""

from __future__ import annotations

import numpy as np

from vpr_tf.config import QualityConfig
from vpr_tf.geo import ecef
from vpr_tf.photos.quality.rules import Finding, MeasuredPhotos, Rule

_RADIUS_M = 25.0  # within which two photos show one place, as the field counts
_MOST_NEIGHBOURS = 64
_FEWEST_NEIGHBOURS = 3  # one may look elsewhere, or be the wrong one of two
_NUM_FAR = 256
_FEWEST_FAR = 16
_FAR_M = 100.0
_PHOTOS_AT_ONCE = 256


def _unlike_neighbours(photos: MeasuredPhotos, config: QualityConfig) -> Finding | None:
    if photos.descriptors is None:
        return None
    points = ecef.from_positions(photos.files.photos.positions)
    likeness = neighbour_likeness(
        points, photos.descriptors, photos.measures["pixel_hash"]
    )
    return Finding(likeness < config.min_neighbour_likeness, likeness)


NEIGHBOUR_RULES = (
    Rule(
        "unlike_neighbours",
        "neighbour_likeness",
        "min_neighbour_likeness",
        _unlike_neighbours,
    ),
)


def neighbour_likeness(
    points: np.ndarray, descriptors: np.ndarray, pixel_hash: np.ndarray
) -> np.ndarray:
    """Returns how much more alike the best neighbour of each photo is than far ones.

    Args:
        points: Metres `(num_photos, 3)`, NaN where unknown.
        descriptors: `(num_photos, descriptor_dim)`, of length 1.
        pixel_hash: Equal for copies, which are no neighbours of each other.

    Returns:
        Float64 `(num_photos,)`: similarity to the best of the neighbours within 25 m,
        less the mean similarity to photos 100 m and more away, in standard deviations
        of the latter; NaN with fewer than three neighbours, or hardly any photo far.
    """
    from scipy.spatial import cKDTree

    likeness = np.full(len(points), np.nan)
    placed = np.flatnonzero(np.isfinite(points).all(axis=1))
    if len(placed) <= _FEWEST_NEIGHBOURS:
        return likeness
    tree = cKDTree(points[placed])
    far = np.random.default_rng(0).permutation(placed)[:_NUM_FAR]
    count = min(_MOST_NEIGHBOURS, len(placed))
    for start in range(0, len(placed), _PHOTOS_AT_ONCE):
        rows = placed[start : start + _PHOTOS_AT_ONCE]
        away_m, found = tree.query(
            points[rows], k=count, distance_upper_bound=_RADIUS_M
        )
        is_near = np.isfinite(away_m)
        near = placed[np.where(is_near, found, 0)]
        is_near &= pixel_hash[near] != pixel_hash[rows, None]
        similar = np.einsum("nd,nkd->nk", descriptors[rows], descriptors[near])
        best = np.where(is_near, similar, -np.inf).max(axis=1)
        to_far = descriptors[rows] @ descriptors[far].T
        apart_m = np.linalg.norm(points[rows, None] - points[far], axis=2)
        elsewhere = np.where(apart_m >= _FAR_M, to_far, np.nan)
        likeness[rows] = _above_chance(best, elsewhere)
        likeness[rows[is_near.sum(axis=1) < _FEWEST_NEIGHBOURS]] = np.nan
    return likeness


def _above_chance(best: np.ndarray, elsewhere: np.ndarray) -> np.ndarray:
    """Returns how far similarities are above others, in their standard deviations.

    Args:
        best: `(num_photos,)`.
        elsewhere: `(num_photos, num_others)`, NaN where it does not count.
    """
    counts = np.isfinite(elsewhere).sum(axis=1)
    filled = np.nan_to_num(elsewhere)
    mean = filled.sum(axis=1) / np.maximum(counts, 1)
    off = np.where(np.isfinite(elsewhere), elsewhere - mean[:, None], 0.0)
    deviation = np.sqrt((off**2).sum(axis=1) / np.maximum(counts, 1))
    is_known = (counts >= _FEWEST_FAR) & (deviation > 0)
    return np.where(is_known, (best - mean) / np.where(is_known, deviation, 1), np.nan)
