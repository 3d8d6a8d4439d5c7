"""Places as points of the unit hypersphere in four dimensions, and back.

Metres become angles, by default of at most 45 degrees, `a = 90 deg * east / extent` and
`b` of the north alike, and the heading h keeps its own:

    (sin a, cos a sin b, cos a cos b sin h, cos a cos b cos h)

Headings lie on circles with a radius of 1/2 or more and the poles, where angles are
lost, far outside the map: over 20 km the steps of float32 are worth millimetres. Other
angles, as of the degrees of a city themselves, use less of the sphere.
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np

ANGLES_DEG = (-45.0, 45.0)


def place_to_hypersphere(
    places: Any,
    extent_m: float,
    xp: ModuleType = np,
    angles_deg: tuple[float, float] = ANGLES_DEG,
) -> Any:
    """Maps places to points.

    Args:
        places: Shape `(..., 4)`: metres east and north of the middle of the map, sine
            and cosine of the heading. Positions beyond the map move to its edge.
        extent_m: Length of the map's sides.
        xp: The namespace to compute in: `numpy`, or `keras.ops` for tensors.
        angles_deg: Of the western and southern edge, and of the other two; between
            -90 and 90.

    Returns:
        Shape `(..., 4)`, of unit length; with an unknown heading (sine and cosine 0)
        the middle of the circle of headings, inside the sphere.
    """
    half = extent_m / 2
    middle, radians_per_metre = _scale(extent_m, angles_deg)
    angles = xp.clip(places[..., :2], -half, half) * radians_per_metre + middle
    sines, cosines = xp.sin(angles), xp.cos(angles)
    radius = cosines[..., 0] * cosines[..., 1]
    coordinates = (
        sines[..., 0],
        cosines[..., 0] * sines[..., 1],
        radius * places[..., 2],
        radius * places[..., 3],
    )
    return xp.stack(coordinates, axis=-1)


def hypersphere_to_place(
    points: Any,
    extent_m: float,
    xp: ModuleType = np,
    angles_deg: tuple[float, float] = ANGLES_DEG,
) -> Any:
    """Maps points to places: the inverse of `place_to_hypersphere`.

    Args:
        points: Shape `(..., 4)`, with a heading; of any length but 0.
        extent_m: Length of the map's sides.
        xp: As for `place_to_hypersphere`.
        angles_deg: Likewise.

    Returns:
        Shape `(..., 4)`: metres east and north, sine and cosine of the heading, of
        unit length. Points of the far side of the sphere lie beyond the map, with the
        angles of 45 degrees by up to half an extent.
    """
    x, y, z, w = (points[..., axis] for axis in range(4))
    radius = xp.hypot(z, w)
    middle, radians_per_metre = _scale(extent_m, angles_deg)
    heading = xp.arctan2(z, w)
    coordinates = (
        (xp.arctan2(x, xp.hypot(y, radius)) - middle) / radians_per_metre,
        (xp.arctan2(y, radius) - middle) / radians_per_metre,
        xp.sin(heading),
        xp.cos(heading),
    )
    return xp.stack(coordinates, axis=-1)


def _scale(extent_m: float, angles_deg: tuple[float, float]) -> tuple[float, float]:
    """Returns the angle of the middle of the map, and radians a metre."""
    low, high = map(math.radians, angles_deg)
    return (low + high) / 2, (high - low) / extent_m
