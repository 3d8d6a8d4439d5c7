"""The database images that were taken near a query."""

from __future__ import annotations

import math

import numpy as np

from vpr_tf.geo import Positions, wrap_degrees

_METRES_PER_DEGREE = 110_000.0  # of latitude, less than the true 110.6 to 111.7 km


def positives_per_query(
    queries: Positions, database: Positions, positive_dist_threshold_m: float
) -> list[np.ndarray]:
    """Returns the database rows within the threshold of each query.

    Distances are measured in the query's UTM zone: a database image in another zone
    is projected into it, so a zone's border hides no positive, and equal numbers in
    two zones are no match. A query of unknown position has none.

    Args:
        queries: Positions of the queries.
        database: Positions of the database.
        positive_dist_threshold_m: Largest distance of a positive, inclusive.

    Returns:
        For each query its positives, int64, ascending.

    Raises:
        ValueError: Some positions are local coordinates and others are not.
    """
    queries.refuse_mixture(database)
    radius_cm = positive_dist_threshold_m * 100
    found: list[list[np.ndarray]] = [[] for _ in range(len(queries))]
    for zone in np.unique(queries.utm_zone[queries.known]):
        query_ids = np.flatnonzero(queries.known & (queries.utm_zone == zone))
        in_zone = queries.take(query_ids)
        same = _places(database, database.known & (database.utm_zone == zone))
        other = _nearby_in_other_zones(in_zone, database, positive_dist_threshold_m)
        parts = [same]
        if len(other):
            parts.append((other, database.take(other).projected_to(zone)))
        for database_ids, images in parts:
            for query, rows in _within_radius(in_zone, images, radius_cm):
                if database_ids is not None:
                    rows = database_ids[rows]
                found[query_ids[query]].append(rows)
    empty = np.empty(0, np.int64)
    for query, arrays in enumerate(found):
        found[query] = [np.sort(np.concatenate([empty, *arrays]))]
    return [array for (array,) in found]


def _places(
    database: Positions, chosen: np.ndarray
) -> tuple[np.ndarray | None, Positions]:
    """Returns the rows that are chosen, None for all, and their positions."""
    if chosen.all():
        return None, database
    rows = np.flatnonzero(chosen)
    return rows, database.take(rows)


def _nearby_in_other_zones(
    queries: Positions, database: Positions, threshold_m: float
) -> np.ndarray:
    """Rows of other zones in the bounding box of queries of one zone."""
    rows = np.flatnonzero(database.known & (database.utm_zone != queries.utm_zone[0]))
    margin_deg = threshold_m / _METRES_PER_DEGREE
    latitude = database.latitude_deg[rows]
    near = latitude >= queries.latitude_deg.min() - margin_deg
    near &= latitude <= queries.latitude_deg.max() + margin_deg
    rows = rows[near]
    farthest = min(np.abs(queries.latitude_deg).max() + margin_deg, 89.0)
    margin_deg /= math.cos(math.radians(farthest))
    # Relative to one query, so that 180 east and 180 west are the same.
    origin = queries.longitude_deg[0]
    of_queries = wrap_degrees(queries.longitude_deg - origin)
    of_rows = wrap_degrees(database.longitude_deg[rows] - origin)
    near = of_rows >= of_queries.min() - margin_deg
    near &= of_rows <= of_queries.max() + margin_deg
    return rows[near]


def _within_radius(
    queries: Positions, images: Positions, radius_cm: float
) -> list[tuple[int, np.ndarray]]:
    """Finds images near each query through a grid of cells as wide as the radius."""
    if not len(images):
        return []
    cell_cm = max(1, math.ceil(radius_cm))
    first_north = images.utm_north_cm.min() // cell_cm
    num_north = int(images.utm_north_cm.max() // cell_cm - first_north) + 3

    def cell_of(column: np.ndarray, row: np.ndarray) -> np.ndarray:
        cells = row - (first_north - 1)
        np.clip(cells, 0, num_north - 1, out=cells)
        cells += column * num_north
        return cells

    # Cells of one column are consecutive: three of them are one range of images.
    cells = cell_of(images.utm_east_cm // cell_cm, images.utm_north_cm // cell_cm)
    order = np.argsort(cells, kind="stable")
    cells = cells[order]
    column, row = queries.utm_east_cm // cell_cm, queries.utm_north_cm // cell_cm
    ranges = []
    for shift in (-1, 0, 1):
        first = np.searchsorted(cells, cell_of(column + shift, row - 1), "left")
        last = np.searchsorted(cells, cell_of(column + shift, row + 1), "right")
        ranges.append((first, last))
    found = []
    for query in range(len(queries)):
        candidates = np.concatenate([order[f[query] : e[query]] for f, e in ranges])
        east_cm = images.utm_east_cm[candidates] - queries.utm_east_cm[query]
        north_cm = images.utm_north_cm[candidates] - queries.utm_north_cm[query]
        # Whole centimetres: the rule is exact at the threshold.
        near = east_cm * east_cm + north_cm * north_cm <= radius_cm * radius_cm
        found.append((query, candidates[near]))
    return found
