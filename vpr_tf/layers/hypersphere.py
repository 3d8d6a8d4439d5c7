"""Places as points of the unit hypersphere in four dimensions, and back.

Metres become angles of at most 45 degrees, `a = 90 deg * east / extent` and `b` of the
north alike, and the heading h keeps its own:

    (sin a, cos a sin b, cos a cos b sin h, cos a cos b cos h)

Headings lie on circles with a radius of 1/2 or more and the poles, where angles are
lost, far outside the map: over 20 km the steps of float32 are worth millimetres.
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np


def place_to_hypersphere(places: Any, extent_m: float, xp: ModuleType = np) -> Any:
    """Maps places to points.

    Args:
        places: Shape `(..., 4)`: metres east and north of the middle of the map, sine
            and cosine of the heading. Positions beyond the map move to its edge.
        extent_m: Length of the map's sides.
        xp: The namespace to compute in: `numpy`, or `keras.ops` for tensors.

    Returns:
        Shape `(..., 4)`, of unit length; with an unknown heading (sine and cosine 0)
        the middle of the circle of headings, inside the sphere.
    """
    half = extent_m / 2
    angles = xp.clip(places[..., :2], -half, half) * (math.pi / 2 / extent_m)
    sines, cosines = xp.sin(angles), xp.cos(angles)
    radius = cosines[..., 0] * cosines[..., 1]
    coordinates = (
        sines[..., 0],
        cosines[..., 0] * sines[..., 1],
        radius * places[..., 2],
        radius * places[..., 3],
    )
    return xp.stack(coordinates, axis=-1)


def hypersphere_to_place(points: Any, extent_m: float, xp: ModuleType = np) -> Any:
    """Maps points to places: the inverse of `place_to_hypersphere`.

    Args:
        points: Shape `(..., 4)`, with a heading; of any length but 0.
        extent_m: Length of the map's sides.
        xp: As for `place_to_hypersphere`.

    Returns:
        Shape `(..., 4)`: metres east and north, sine and cosine of the heading, of
        unit length. Points of the far side of the sphere lie up to half an extent
        beyond the map.
    """
    x, y, z, w = (points[..., axis] for axis in range(4))
    radius = xp.hypot(z, w)
    metres_per_radian = extent_m / (math.pi / 2)
    heading = xp.arctan2(z, w)
    coordinates = (
        xp.arctan2(x, xp.hypot(y, radius)) * metres_per_radian,
        xp.arctan2(y, radius) * metres_per_radian,
        xp.sin(heading),
        xp.cos(heading),
    )
    return xp.stack(coordinates, axis=-1)
