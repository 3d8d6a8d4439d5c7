"""Earth-centred, earth-fixed coordinates: metres from the middle of the earth.

Places are points in space: no zones, no antimeridian, no hemispheres.
"""

from __future__ import annotations

import numpy as np

from vpr_tf.geo.earth import (
    ECCENTRICITY_SQUARED,
    EQUATORIAL_RADIUS_M,
    POLAR_RADIUS_M,
)
from vpr_tf.geo.positions import Positions
from vpr_tf.geo.utm import NORTHERN_LIMIT_DEG, SOUTHERN_LIMIT_DEG, utm_to_lat_lon


def from_positions(positions: Positions) -> np.ndarray:
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
        positions.utm_east_cm[known] / 100,
        positions.utm_north_cm[known] / 100,
        positions.utm_zone[known],
    )
    inside = latitude_deg >= SOUTHERN_LIMIT_DEG
    inside &= latitude_deg <= NORTHERN_LIMIT_DEG
    points[known[inside]] = from_lat_lon(latitude_deg[inside], longitude_deg[inside])
    return points


def from_lat_lon(latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> np.ndarray:
    """Returns the points `(num_places, 3)` of places on the ellipsoid, metres."""
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    sine, cosine = np.sin(latitude), np.cos(latitude)
    radius_m = EQUATORIAL_RADIUS_M / np.sqrt(1 - ECCENTRICITY_SQUARED * sine**2)
    return np.stack(
        [
            radius_m * cosine * np.cos(longitude),
            radius_m * cosine * np.sin(longitude),
            radius_m * (1 - ECCENTRICITY_SQUARED) * sine,
        ],
        axis=-1,
    )


def to_lat_lon(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
    reduced = np.arctan2(z * EQUATORIAL_RADIUS_M, from_axis_m * POLAR_RADIUS_M)
    lift_m = ECCENTRICITY_SQUARED / (1 - ECCENTRICITY_SQUARED) * POLAR_RADIUS_M
    latitude = np.arctan2(
        z + lift_m * np.sin(reduced) ** 3,
        from_axis_m - ECCENTRICITY_SQUARED * EQUATORIAL_RADIUS_M * np.cos(reduced) ** 3,
    )
    return np.degrees(latitude), np.degrees(np.arctan2(y, x))
