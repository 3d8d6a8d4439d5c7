"""Positions of a city as metres on a plane, wherever on Earth the city lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpr_tf.geo import ecef
from vpr_tf.geo.earth import ECCENTRICITY_SQUARED, EQUATORIAL_RADIUS_M, wrap_degrees

_CELL_DEG = 0.05  # about 5 km: positions this near to each other are one place
_GAP_M = 20_000.0  # between two cities


@dataclass(frozen=True)
class LocalPlane:
    """A plane that touches the Earth at one point; x is metres east, y north.

    UTM zones and the antimeridian play no part. Distances are right to 0.1% within
    some 30 km of the point.

    Attributes:
        latitude_deg: Of the point.
        longitude_deg: Of the point.
    """

    latitude_deg: float
    longitude_deg: float

    @classmethod
    def around(cls, latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> LocalPlane:
        """Returns the plane at the median of at least one position."""
        radians = np.radians(longitude_deg)
        towards = np.arctan2(np.sin(radians).mean(), np.cos(radians).mean())
        reference = float(np.degrees(towards))
        off = float(np.median(wrap_degrees(longitude_deg - reference)))
        return cls(float(np.median(latitude_deg)), float(wrap_degrees(reference + off)))

    def to_metres(
        self, latitude_deg: np.ndarray, longitude_deg: np.ndarray
    ) -> np.ndarray:
        """Returns x and y `(num_positions, 2)`; NaN where a degree is NaN."""
        latitude = np.radians(self.latitude_deg)
        flattening = 1 - ECCENTRICITY_SQUARED * np.sin(latitude) ** 2
        east_radius_m = EQUATORIAL_RADIUS_M / np.sqrt(flattening)
        north_radius_m = east_radius_m * (1 - ECCENTRICITY_SQUARED) / flattening
        east = np.radians(wrap_degrees(longitude_deg - self.longitude_deg))
        north = np.radians(np.asarray(latitude_deg, np.float64) - self.latitude_deg)
        x = east * east_radius_m * np.cos(latitude)
        return np.stack([x, north * north_radius_m], axis=-1)


def cities(latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> np.ndarray:
    """Divides positions into cities more than 20 km apart.

    Args:
        latitude_deg: Degrees `(num_positions,)`, finite.
        longitude_deg: Same shape.

    Returns:
        City numbers, int64; 0 has the most positions.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    if not len(latitude_deg):
        return np.zeros(0, np.int64)
    degrees = np.stack([latitude_deg, wrap_degrees(longitude_deg)], axis=1)
    cells, cell_of = np.unique(
        np.floor(degrees / _CELL_DEG), axis=0, return_inverse=True
    )
    middles_deg = ((cells + 0.5) * _CELL_DEG).T
    pairs = cKDTree(ecef.from_lat_lon(*middles_deg)).query_pairs(
        _GAP_M, output_type="ndarray"
    )
    near = coo_array(
        (np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (len(cells), len(cells))
    )
    _, city_of_cell = connected_components(near, directed=False)
    city = city_of_cell[cell_of.ravel()]
    by_size = np.argsort(-np.bincount(city), kind="stable")
    return np.argsort(by_size, kind="stable")[city].astype(np.int64)
