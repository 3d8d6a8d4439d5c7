"""Photos inside a circle on the earth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vpr_tf.geo.earth import wrap_degrees
from vpr_tf.geo.position_rules import lat_lon_problem
from vpr_tf.geo.positions import Positions, distances_m

# A degree of latitude is longer than this, on the sphere and on the ellipsoid, by more
# than the scale of UTM is off.
_METRES_PER_DEGREE = 110_000.0


@dataclass(frozen=True)
class GeoCircle:
    """A circle to search in.

    Attributes:
        latitude_deg: Of the centre, -80 to 84; 0, 0 stands for an unknown place.
        longitude_deg: Of the centre, -180 to 180.
        radius_m: Metres.
    """

    latitude_deg: float
    longitude_deg: float
    radius_m: float

    def __post_init__(self) -> None:
        problem = lat_lon_problem(self.latitude_deg, self.longitude_deg)
        if problem:
            raise ValueError(f"The centre of a circle cannot be: {problem}")
        if not (np.isfinite(self.radius_m) and self.radius_m >= 0):
            raise ValueError(f"`radius_m` must be 0 or more. Received: {self.radius_m}")

    @classmethod
    def read(cls, circle: GeoCircle | Sequence[float]) -> GeoCircle:
        """Returns a circle that is given as one, or by its three numbers.

        Raises:
            ValueError: It is neither.
        """
        if isinstance(circle, cls):
            return circle
        try:
            latitude_deg, longitude_deg, radius_m = map(float, circle)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise ValueError(
                "`within` must be a `vpr_tf.geo.GeoCircle`, or latitude, longitude and "
                f"radius in metres. Received: {circle!r}"
            ) from None
        return cls(latitude_deg, longitude_deg, radius_m)

    def rows(self, positions: Positions) -> np.ndarray:
        """Returns the rows inside, ascending; none of unknown position.

        Raises:
            ValueError: Positions are local coordinates.
        """
        positions.refuse_local("A circle around latitude and longitude")
        near = self._rows_in_box(positions)
        centre = Positions.from_lat_lon([self.latitude_deg], [self.longitude_deg])
        near = near[positions.known[near]]
        metres = distances_m(centre, positions.take(near), np.arange(len(near))[None])
        return near[metres[0] <= self.radius_m]

    def _rows_in_box(self, positions: Positions) -> np.ndarray:
        high_deg = self.radius_m / _METRES_PER_DEGREE
        latitude = positions.latitude_deg
        inside = latitude >= self.latitude_deg - high_deg
        inside &= latitude <= self.latitude_deg + high_deg
        rows = np.flatnonzero(inside)
        nearest_pole_deg = min(90.0, abs(self.latitude_deg) + high_deg)
        wide_deg = high_deg / max(1e-9, np.cos(np.radians(nearest_pole_deg)))
        off_deg = wrap_degrees(positions.longitude_deg[rows] - self.longitude_deg)
        return rows[np.abs(off_deg) <= wide_deg]
