"""Metres around the middle of a map: small numbers, which float32 holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpr_tf.geo.positions import Positions


@dataclass(frozen=True)
class MapFrame:
    """A plane in one UTM zone.

    Attributes:
        utm_zone: Signed zone of most images; images of others are projected to it.
        middle_east_m: UTM east of the middle of all images.
        middle_north_m: UTM north.
        extent_m: Longest side of the box around all images.
    """

    utm_zone: int
    middle_east_m: float
    middle_north_m: float
    extent_m: float

    @classmethod
    def around(cls, positions: Positions) -> MapFrame:
        """Returns the frame of some images."""
        zones, counts = np.unique(positions.utm_zone, return_counts=True)
        zone = int(zones[counts.argmax()])
        points = _in_zone(positions, zone)
        low, high = points.min(axis=0), points.max(axis=0)
        middle, extent = (low + high) / 2, float((high - low).max())
        return cls(zone, float(middle[0]), float(middle[1]), max(extent, 1.0))

    def local_m(self, positions: Positions) -> np.ndarray:
        """Returns metres east and north of the middle, float64 `(num_images, 2)`."""
        middle = [self.middle_east_m, self.middle_north_m]
        return _in_zone(positions, self.utm_zone) - middle

    def positions(self, local_m: np.ndarray) -> Positions:
        """Returns the places at metres east and north of the middle."""
        east_m = local_m[:, 0].astype(np.float64) + self.middle_east_m
        north_m = local_m[:, 1].astype(np.float64) + self.middle_north_m
        zone = np.full(len(local_m), self.utm_zone)
        return Positions.from_utm(east_m, north_m, zone)

    def places(self, positions: Positions, heading_deg: np.ndarray) -> np.ndarray:
        """Returns what heads with `target = "place"` learn.

        Args:
            positions: Of the images.
            heading_deg: Negative where unknown.

        Returns:
            Float32 `(num_images, 4)`: metres east and north of the middle, sine and
            cosine of the heading, both 0 where it is unknown.
        """
        radians = np.radians(np.asarray(heading_deg, np.float64))
        known = np.asarray(heading_deg) >= 0
        sine, cosine = np.where(known, [np.sin(radians), np.cos(radians)], 0.0)
        return np.column_stack([self.local_m(positions), sine, cosine]).astype(
            np.float32
        )


def _in_zone(positions: Positions, zone: int) -> np.ndarray:
    return positions.projected_to(zone).utm_cm / 100
