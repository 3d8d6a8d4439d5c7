"""How far the predictions of the groups lie from each other."""

from __future__ import annotations

import numpy as np

from vpr_tf.geo import Positions, ecef


def spread_m(places: Positions, rows: np.ndarray) -> np.ndarray:
    """Returns the standard deviation of places of each query.

    The square root of the mean squared distance to their mean, along chords in space:
    right across UTM zones, and exactly 0 when all places are the same.

    Args:
        places: Places.
        rows: Rows of `places`, `(num_queries, num_groups)`.

    Returns:
        Metres, float64 `(num_queries,)`.

    Reference:
        Trivigno et al., "Divide&Classify", ICCV 2023, arXiv:2307.08417, figure 7.
    """
    points = ecef.from_lat_lon(places.latitude_deg[rows], places.longitude_deg[rows])
    offsets = points - points[:, :1]
    offsets -= offsets.mean(axis=1, keepdims=True)
    return np.sqrt(np.square(offsets).sum(axis=2).mean(axis=1))
