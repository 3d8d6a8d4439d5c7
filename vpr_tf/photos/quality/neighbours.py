"""Photos that look like none near them: filed under a wrong place, or taken indoors.

How alike photos of one place are differs from encoder to encoder and from city to city.
So photos far away are the measure: where many of them look more like a photo than the
best of its neighbours, the neighbours are as good as any photos.
"""

from __future__ import annotations

import numpy as np

from vpr_tf.config import QualityConfig
from vpr_tf.geo import ecef
from vpr_tf.photos.quality.rules import Finding, MeasuredPhotos, Rule

_RADIUS_M = 25.0  # within which two photos show one place, as the field counts
_MOST_NEIGHBOURS = 64
_FEWEST_NEIGHBOURS = 3  # one may look elsewhere, or be the wrong one of two
_FAR_M = 100.0
_NUM_FAR, _FEWEST_FAR = 1024, 100
_PHOTOS_AT_ONCE = 256


def _unlike_neighbours(photos: MeasuredPhotos, config: QualityConfig) -> Finding | None:
    if photos.descriptors is None:
        return None
    shares = better_far_share(
        ecef.from_positions(photos.files.photos.positions),
        photos.descriptors,
        photos.measures["pixel_hash"],
    )
    found = Finding(shares > config.max_better_far_share, shares)
    return found if np.isfinite(shares).any() else None


NEIGHBOUR_RULES = (
    Rule(
        "unlike_neighbours",
        "better_far_share",
        "max_better_far_share",
        _unlike_neighbours,
    ),
)


def better_far_share(
    points: np.ndarray, descriptors: np.ndarray, pixel_hash: np.ndarray
) -> np.ndarray:
    """Returns how many far photos are more like each photo than its best neighbour.

    Args:
        points: Metres `(num_photos, 3)`, NaN where unknown.
        descriptors: `(num_photos, descriptor_dim)`, of length 1.
        pixel_hash: Equal for copies, which are no neighbours of each other.

    Returns:
        Float64 `(num_photos,)`: of about a thousand photos 100 m and more away, the
        share that is at least as similar as the best of those within 25 m; NaN with
        fewer than three of the latter, or hardly any of the former.
    """
    from scipy.spatial import cKDTree

    shares = np.full(len(points), np.nan)
    placed = np.flatnonzero(np.isfinite(points).all(axis=1))
    if len(placed) < _FEWEST_FAR:
        return shares
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
        apart_m = np.linalg.norm(points[rows, None] - points[far], axis=2)
        to_far = np.where(
            apart_m >= _FAR_M, descriptors[rows] @ descriptors[far].T, np.nan
        )
        best[is_near.sum(axis=1) < _FEWEST_NEIGHBOURS] = np.nan
        shares[rows] = _share_above(to_far, best)
    return shares


def _share_above(values: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Returns the share of each row that is at least some value.

    Args:
        values: `(num_rows, num_values)`, NaN where one does not count.
        best: `(num_rows,)`, NaN where nothing is to be said.
    """
    counts = np.isfinite(values).sum(axis=1)
    share = (values >= best[:, None]).sum(axis=1) / np.maximum(counts, 1)
    return np.where(np.isnan(best) | (counts < _FEWEST_FAR), np.nan, share)
