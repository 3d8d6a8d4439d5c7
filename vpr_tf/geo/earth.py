"""The size of the earth, the marks of unknown values, and angles that wrap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

UNKNOWN_ZONE = 0  # UTM zone of a photo without position
# Of local coordinates: metres from an origin that is not known. Latitude and longitude
# are NaN then, which tells it from an unknown position.
LOCAL_ZONE = 0
UNKNOWN_HEADING_DEG = -1.0

MEAN_RADIUS_M = 6_371_008.8
# The ellipsoid WGS84.
EQUATORIAL_RADIUS_M = 6_378_137.0
FLATTENING = 1 / 298.257_223_563
POLAR_RADIUS_M = EQUATORIAL_RADIUS_M * (1 - FLATTENING)
ECCENTRICITY_SQUARED = FLATTENING * (2 - FLATTENING)


def wrap_degrees(degrees: npt.ArrayLike) -> np.ndarray:
    """Returns angles as float64 in [-180, 180)."""
    return (np.asarray(degrees, np.float64) + 180.0) % 360.0 - 180.0


def extent_deg(longitude_deg: np.ndarray) -> tuple[float, float]:
    """Returns west and east ends, which may lie beyond 180 degrees.

    They leave out the widest gap, so that photos on both sides of the antimeridian
    are near to each other.
    """
    longitude = np.unique(wrap_degrees(longitude_deg))
    gaps = np.diff(np.append(longitude, longitude[0] + 360))
    widest = int(np.argmax(gaps))
    west = float(longitude[(widest + 1) % len(longitude)])
    return west, west + 360 - float(gaps[widest])
