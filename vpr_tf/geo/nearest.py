"""How far away the nearest of many places is."""

from __future__ import annotations

import numpy as np

from vpr_tf.geo import ecef
from vpr_tf.geo.positions import Positions, distances_m

_NEAREST_BY_CHORD = 8  # candidates; the order of chords is not quite that of the ground


def nearest_m(queries: Positions, places: Positions) -> np.ndarray:
    """Returns the distance of each query to the nearest place.

    Returns:
        Metres, float64 `(num_queries,)`; NaN where the query's position is unknown,
        and without any place of known position.
    """
    from scipy.spatial import cKDTree

    nearest = np.full(len(queries), np.nan)
    points = [ecef.from_positions(positions) for positions in (queries, places)]
    rows, candidates = (
        np.flatnonzero(np.isfinite(each).all(axis=1)) for each in points
    )
    # In the query's zone the plane decides; the chord finds what lies across a border.
    count = min(_NEAREST_BY_CHORD, len(candidates))
    if count and len(rows):
        tree = cKDTree(points[1][candidates])
        _, found = tree.query(points[0][rows], k=[*range(1, count + 1)])
        distances = distances_m(queries.take(rows), places, candidates[found])
        nearest[rows] = distances.min(axis=1)
    for zone in np.unique(queries.utm_zone[queries.known]):
        in_zone = np.flatnonzero(places.known & (places.utm_zone == zone))
        of_zone = np.flatnonzero(queries.known & (queries.utm_zone == zone))
        if len(in_zone):
            tree = cKDTree(_on_plane(places.take(in_zone)))
            centimetres, _ = tree.query(_on_plane(queries.take(of_zone)))
            nearest[of_zone] = np.fmin(nearest[of_zone], centimetres / 100)
    return nearest


def _on_plane(positions: Positions) -> np.ndarray:
    """Returns UTM centimetres `(num_places, 2)`."""
    return positions.utm_cm.astype(np.float64)
