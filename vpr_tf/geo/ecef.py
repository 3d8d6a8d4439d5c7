"""Places as points in space: no zones, no antimeridian, no hemispheres."""

from __future__ import annotations

import numpy as np

from vpr_tf.geo.positions import Positions
from vpr_tf.geo.utm import utm_to_lat_lon

# WGS84.
_EQUATORIAL_RADIUS_M = 6_378_137.0
_FLATTENING = 1 / 298.257_223_563
_POLAR_RADIUS_M = _EQUATORIAL_RADIUS_M * (1 - _FLATTENING)
_ECCENTRICITY_SQUARED = _FLATTENING * (2 - _FLATTENING)
_SOUTHERN_LIMIT_DEG, _NORTHERN_LIMIT_DEG = -80.0, 84.0  # of UTM


def points_of(positions: Positions) -> np.ndarray:
    """Returns the points of positions on the ellipsoid, from the earth's centre.

    They come from the UTM numbers, which names of photos hold in centimetres where
    latitude and longitude are often rounded to metres.

    Args:
        positions: Where photos were taken.

    Returns:
        Metres, float64, `(num_positions, 3)`; NaN where a position is unknown, or is
        outside the latitudes of UTM.
    """
    points = np.full((len(positions), 3), np.nan)
    known = np.flatnonzero(positions.known)
    latitude_deg, longitude_deg = utm_to_lat_lon(
        positions.east_cm[known] / 100,
        positions.north_cm[known] / 100,
        positions.utm_zone[known],
    )
    inside = latitude_deg >= _SOUTHERN_LIMIT_DEG
    inside &= latitude_deg <= _NORTHERN_LIMIT_DEG
    points[known[inside]] = points_at(latitude_deg[inside], longitude_deg[inside])
    return points


def points_at(latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> np.ndarray:
    """Returns the points `(num_places, 3)` of places on the ellipsoid, metres."""
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    sine, cosine = np.sin(latitude), np.cos(latitude)
    radius_m = _EQUATORIAL_RADIUS_M / np.sqrt(1 - _ECCENTRICITY_SQUARED * sine**2)
    return np.stack(
        [
            radius_m * cosine * np.cos(longitude),
            radius_m * cosine * np.sin(longitude),
            radius_m * (1 - _ECCENTRICITY_SQUARED) * sine,
        ],
        axis=-1,
    )


def latitude_longitude_deg(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns latitude and longitude of points near the surface, in degrees.

    Args:
        points: Metres `(num_places, 3)`, less than some kilometres off the ellipsoid;
            there the formula is exact to less than a millimetre.

    Reference:
        Bowring, "Transformation from spatial to geographical coordinates", Survey
        Review 181, 1976.
    """
    x, y, z = np.moveaxis(points, -1, 0)
    from_axis_m = np.hypot(x, y)
    reduced = np.arctan2(z * _EQUATORIAL_RADIUS_M, from_axis_m * _POLAR_RADIUS_M)
    lift_m = _ECCENTRICITY_SQUARED / (1 - _ECCENTRICITY_SQUARED) * _POLAR_RADIUS_M
    latitude = np.arctan2(
        z + lift_m * np.sin(reduced) ** 3,
        from_axis_m
        - _ECCENTRICITY_SQUARED * _EQUATORIAL_RADIUS_M * np.cos(reduced) ** 3,
    )
    return np.degrees(latitude), np.degrees(np.arctan2(y, x))
