"""Earth-centred, earth-fixed coordinates: metres from the middle of the earth.

Places are points in space: no zones, no antimeridian, no hemispheres.
"""

from __future__ import annotations

import numpy as np

from vpr_tf.geo.earth import (
    ECCENTRICITY_SQUARED,
    EQUATORIAL_RADIUS_M,
    LOCAL_ZONE,
    POLAR_RADIUS_M,
)
from vpr_tf.geo.positions import Positions
from vpr_tf.geo.utm import (
    NORTHERN_LIMIT_DEG,
    SOUTHERN_LIMIT_DEG,
    lat_lon_to_utm,
    utm_to_lat_lon,
)


def from_positions(positions: Positions) -> np.ndarray:
    """Returns the points of positions on the ellipsoid, from the earth's centre.

    Of local coordinates they are x, y and 0.

    They come from the UTM numbers, which names of photos hold in centimetres where
    latitude and longitude are often rounded to metres.

    Args:
        positions: Where photos were taken.

    Returns:
        Metres, float64, `(num_positions, 3)`; NaN where a position is unknown, or is
        outside the latitudes of UTM.
    """
    points = np.full((len(positions), 3), np.nan)
    local = np.flatnonzero(positions.is_local)
    points[local, :2] = positions.utm_cm[local] / 100
    points[local, 2] = 0.0
    known = np.flatnonzero(positions.known & ~positions.is_local)
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


def from_degrees(positions: Positions) -> np.ndarray:
    """Returns the points of known positions by their degrees, local ones as they are.

    See `from_positions`.
    """
    points = from_lat_lon(positions.latitude_deg, positions.longitude_deg)
    local = positions.is_local
    points[local, :2] = positions.utm_cm[local] / 100
    points[local, 2] = 0.0
    return points


def to_positions(
    points: np.ndarray, is_local: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns latitude, longitude, UTM east and north in metres, and zone of points.

    Args:
        points: As `from_positions` makes them.
        is_local: Whether they are of local coordinates.
    """
    if is_local:
        unknown = np.full(len(points), np.nan)
        zone = np.full(len(points), LOCAL_ZONE, np.int16)
        return unknown, unknown, points[:, 0], points[:, 1], zone
    latitude_deg, longitude_deg = to_lat_lon(points)
    return latitude_deg, longitude_deg, *lat_lon_to_utm(latitude_deg, longitude_deg)


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
