"""Where the images of a split were taken, and how far they are from each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vpr_tf.geo.utm import utm_to_lat_lon

if TYPE_CHECKING:
    from vpr_tf.data.prepared_dataset import SplitIndex

UNKNOWN_ZONE = 0
_EARTH_RADIUS_M = 6_371_008.8
# Beyond, a UTM zone's projection of a neighbour is no measure of distance.
_MAX_DEGREES_OFF_CENTRE = 9.0


@dataclass(frozen=True)
class Positions:
    """Positions of images, each array of shape `(num_images,)`.

    Attributes:
        east_cm: UTM east, int64 centimetres.
        north_cm: UTM north, int64 centimetres.
        utm_zone: Signed zone (south is negative); 0 when the position is unknown.
        latitude_deg: Float64 degrees.
        longitude_deg: Float64 degrees.
    """

    east_cm: np.ndarray
    north_cm: np.ndarray
    utm_zone: np.ndarray
    latitude_deg: np.ndarray
    longitude_deg: np.ndarray

    @classmethod
    def from_split(cls, split: SplitIndex) -> Positions:
        """Reads the positions of a split's images."""
        return cls(
            np.array(split.column("utm_east_cm")),
            np.array(split.column("utm_north_cm")),
            np.array(split.column("utm_zone")),
            np.array(split.column("latitude_e7")) / 1e7,
            np.array(split.column("longitude_e7")) / 1e7,
        )

    @classmethod
    def from_utm(
        cls, east_m: npt.ArrayLike, north_m: npt.ArrayLike, utm_zone: npt.ArrayLike
    ) -> Positions:
        """Returns positions given in metres and signed zones."""
        latitude_deg, longitude_deg = utm_to_lat_lon(east_m, north_m, utm_zone)
        return cls(
            np.rint(np.asarray(east_m) * 100).astype(np.int64),
            np.rint(np.asarray(north_m) * 100).astype(np.int64),
            np.asarray(utm_zone).astype(np.int16),
            latitude_deg,
            longitude_deg,
        )

    def __len__(self) -> int:
        return len(self.utm_zone)

    @property
    def known(self) -> np.ndarray:
        """Whether each position is known."""
        return self.utm_zone != UNKNOWN_ZONE

    def take(self, ids: np.ndarray) -> Positions:
        """Returns the positions of some images, in the order of `ids`."""
        return Positions(
            self.east_cm[ids],
            self.north_cm[ids],
            self.utm_zone[ids],
            self.latitude_deg[ids],
            self.longitude_deg[ids],
        )

    def projected_to(self, utm_zone: int) -> Positions:
        """Returns the same places in the coordinates of another zone."""
        import utm

        east_m, north_m, _, _ = utm.from_latlon(
            self.latitude_deg,
            self.longitude_deg,
            force_zone_number=abs(int(utm_zone)),
            force_northern=bool(utm_zone > 0),
        )
        return Positions(
            np.rint(east_m * 100).astype(np.int64),
            np.rint(north_m * 100).astype(np.int64),
            np.full(len(self), utm_zone, self.utm_zone.dtype),
            self.latitude_deg,
            self.longitude_deg,
        )


def distances_m(
    queries: Positions, database: Positions, predictions: np.ndarray
) -> np.ndarray:
    """Returns how far each prediction is from its query.

    The distance is measured in the query's UTM zone, whichever the zone of the
    database image; along the great circle when that is in a far zone.

    Args:
        queries: Positions of `num_queries` images.
        database: Positions of the database.
        predictions: Database rows `(num_queries, k)`; -1 where there is none.

    Returns:
        Metres, float64, `(num_queries, k)`; NaN where there is no prediction or one
        of the positions is unknown.
    """
    distances = np.full(predictions.shape, np.nan)
    if not len(database):
        return distances
    known = queries.known[:, None] & (predictions >= 0)
    known &= database.known[predictions]
    query, column = np.nonzero(known)
    near = queries.take(query)
    far = database.take(predictions[query, column])
    distances[query, column] = _pairwise_m(near, far)
    return distances


def _pairwise_m(queries: Positions, images: Positions) -> np.ndarray:
    east_cm, north_cm = images.east_cm.copy(), images.north_cm.copy()
    other = queries.utm_zone != images.utm_zone
    for zone in np.unique(queries.utm_zone[other]):
        rows = np.flatnonzero(other & (queries.utm_zone == zone))
        projected = images.take(rows).projected_to(zone)
        east_cm[rows], north_cm[rows] = projected.east_cm, projected.north_cm
    east_cm -= queries.east_cm
    north_cm -= queries.north_cm
    planar_m = np.hypot(east_cm, north_cm) / 100
    centre_deg = np.abs(queries.utm_zone.astype(np.int64)) * 6 - 183
    off_deg = (images.longitude_deg - centre_deg + 180) % 360 - 180
    far = other & (np.abs(off_deg) > _MAX_DEGREES_OFF_CENTRE)
    return np.where(far, _great_circle_m(queries, images), planar_m)


def _great_circle_m(a: Positions, b: Positions) -> np.ndarray:
    latitude_a, latitude_b = np.radians(a.latitude_deg), np.radians(b.latitude_deg)
    longitude = np.radians(b.longitude_deg - a.longitude_deg)
    haversine = (
        np.sin((latitude_b - latitude_a) / 2) ** 2
        + np.cos(latitude_a) * np.cos(latitude_b) * np.sin(longitude / 2) ** 2
    )
    return 2 * _EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(haversine, 0, 1)))
