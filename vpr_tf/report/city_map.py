"""What a map of one city shows, as points in a frame 1000 units wide."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vpr_tf.geo import LocalPlane, cities
from vpr_tf.report.query_states import UNJUDGED

WIDTH = 1000.0
_LEAST_HEIGHT, _MOST_HEIGHT = 420.0, 720.0
_MARGIN = 0.06  # of the longer side
_LEAST_SIDE_M = 100.0
_MOST_PHOTOS = 9_000  # dots of database photos; more are thinned out by a grid


@dataclass(frozen=True, eq=False)
class QueriesOnMap:
    """Queries with their true and estimated positions, each `(num_queries,)`.

    Attributes:
        names: What a reader sees when pointing at a query.
        states: See `query_states`.
        latitude_deg: True latitude; NaN where unknown.
        longitude_deg: True longitude.
        localized_latitude_deg: Estimated latitude; NaN where there is none.
        localized_longitude_deg: Estimated longitude.
    """

    names: list[str]
    states: np.ndarray
    latitude_deg: np.ndarray
    longitude_deg: np.ndarray
    localized_latitude_deg: np.ndarray
    localized_longitude_deg: np.ndarray


@dataclass(frozen=True, eq=False)
class CityMap:
    """One city in a frame of `WIDTH` times `height` units, y downwards.

    Attributes:
        height: Units.
        metres_per_unit: The scale.
        photos: Database photos `(num_dots, 2)` in whole units, at most some thousand.
        num_photos: Database photos inside the frame.
        rows: Rows of the queries that are shown.
        places: True places of those queries in units (the estimated ones where
            unjudged), `(num_rows, 2)`.
        localizations: Estimated places, same shape; NaN where there is none.
    """

    height: float
    metres_per_unit: float
    photos: np.ndarray
    num_photos: int
    rows: np.ndarray
    places: np.ndarray
    localizations: np.ndarray
    width: float = WIDTH

    def in_state(self, queries: QueriesOnMap, state: str) -> list[int]:
        """Returns which of `rows` are queries in a state."""
        return np.flatnonzero(queries.states[self.rows] == state).tolist()

    def localized_among(self, shown: list[int]) -> list[int]:
        """Returns those of some queries that have an estimated place."""
        return [i for i in shown if np.isfinite(self.localizations[i, 0])]


def city_maps(
    queries: QueriesOnMap,
    photo_latitude_deg: np.ndarray,
    photo_longitude_deg: np.ndarray,
    *,
    most: int = 4,
) -> list[CityMap]:
    """Lays out one map for each city that has queries, the largest first.

    Args:
        queries: The queries.
        photo_latitude_deg: Database photos, finite.
        photo_longitude_deg: Same shape.
        most: Cities beyond this number are left out.

    Returns:
        The maps; empty when no query has any position.
    """
    unjudged = queries.states == UNJUDGED
    latitude, longitude = (
        np.where(unjudged, localized, true)
        for localized, true in (
            (queries.localized_latitude_deg, queries.latitude_deg),
            (queries.localized_longitude_deg, queries.longitude_deg),
        )
    )
    placed = np.flatnonzero(np.isfinite(latitude))
    city = cities(latitude[placed], longitude[placed])
    maps = []
    for number in range(min(most, int(city.max(initial=-1)) + 1)):
        rows = placed[city == number]
        plane = LocalPlane.around(latitude[rows], longitude[rows])
        places = plane.to_metres(latitude[rows], longitude[rows])
        localized = plane.to_metres(
            queries.localized_latitude_deg[rows], queries.localized_longitude_deg[rows]
        )
        photos = plane.to_metres(photo_latitude_deg, photo_longitude_deg)
        maps.append(_framed(rows, places, localized, photos))
    return maps


def _framed(
    rows: np.ndarray, places: np.ndarray, localized: np.ndarray, photos: np.ndarray
) -> CityMap:
    low, high = _extent(places, localized)
    width_m, height_m = high - low
    # A frame that is too flat or too tall gets more of its surroundings.
    width_m = max(width_m, height_m * WIDTH / _MOST_HEIGHT)
    metres_per_unit = width_m / WIDTH
    height = max(height_m / metres_per_unit, _LEAST_HEIGHT)
    middle = (low + high) / 2

    def to_units(metres: np.ndarray) -> np.ndarray:
        offset = (metres - middle) / metres_per_unit
        return np.array([WIDTH, height]) / 2 + offset * np.array([1, -1])

    dots = to_units(photos)
    inside = ((dots >= 0) & (dots <= [WIDTH, height])).all(axis=1)
    return CityMap(
        round(height, 1),
        metres_per_unit,
        thin_out(dots[inside]),
        int(inside.sum()),
        rows,
        to_units(places),
        to_units(localized),
    )


def _extent(places: np.ndarray, localized: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the corners around queries and localizations not far from them."""
    low, high = places.min(axis=0), places.max(axis=0)
    reach = max(float((high - low).max()) / 2, _LEAST_SIDE_M)
    near = ((localized >= low - reach) & (localized <= high + reach)).all(axis=1)
    points = np.concatenate([places, localized[near]])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = max(float((high - low).max()) * _MARGIN, _LEAST_SIDE_M / 4)
    return low - margin, high + margin


def thin_out(dots: np.ndarray, most: int = _MOST_PHOTOS) -> np.ndarray:
    """Returns one dot for each cell of the finest grid that has few enough.

    Args:
        dots: Units `(num_dots, 2)`.
        most: Largest number of dots returned.

    Returns:
        Distinct whole units `(num_kept, 2)`, from left to right.
    """
    cell = 1
    while True:
        columns, rows = np.rint(dots / cell).astype(np.int64).T
        kept = np.unique(columns * 2**31 + rows)
        if len(kept) <= most:
            return np.stack(np.divmod(kept, 2**31), axis=1) * cell
        cell = max(cell + 1, math.ceil(cell * 1.25))
