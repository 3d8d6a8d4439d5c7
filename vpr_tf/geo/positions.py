"""Where the images of a split were taken, and how far they are from each other."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
import utm

from vpr_tf.geo.earth import LOCAL_ZONE, MEAN_RADIUS_M, UNKNOWN_ZONE, wrap_degrees
from vpr_tf.geo.utm import lat_lon_to_utm, utm_to_lat_lon

# Beyond, a UTM zone's projection of a neighbour is no measure of distance.
_MAX_DEGREES_OFF_CENTRE = 9.0


@dataclass(frozen=True)
class Positions:
    """Positions of images, each array of shape `(num_images,)`.

    Attributes:
        utm_east_cm: UTM east, int64 centimetres; of local coordinates x.
        utm_north_cm: UTM north, int64 centimetres; of local coordinates y.
        utm_zone: Signed zone (south is negative); 0 of local coordinates, and when
            the position is unknown.
        latitude_deg: Float64 degrees; NaN of local coordinates, 0 when the position is
            unknown.
        longitude_deg: Likewise.
    """

    utm_east_cm: np.ndarray
    utm_north_cm: np.ndarray
    utm_zone: np.ndarray
    latitude_deg: np.ndarray
    longitude_deg: np.ndarray

    @classmethod
    def from_utm(
        cls, east_m: npt.ArrayLike, north_m: npt.ArrayLike, utm_zone: npt.ArrayLike
    ) -> Positions:
        """Returns positions given in metres and signed zones; 0 is local."""
        return cls(
            _centimetres(east_m),
            _centimetres(north_m),
            np.asarray(utm_zone).astype(np.int16),
            *utm_to_lat_lon(east_m, north_m, utm_zone),
        )

    @classmethod
    def from_lat_lon(
        cls, latitude_deg: npt.ArrayLike, longitude_deg: npt.ArrayLike
    ) -> Positions:
        """Returns positions given in degrees, each in its own UTM zone.

        Raises:
            ValueError: A latitude is outside UTM, or a value is not finite.
        """
        latitude_deg = np.asarray(latitude_deg, np.float64)
        longitude_deg = np.asarray(longitude_deg, np.float64)
        east_m, north_m, utm_zone = lat_lon_to_utm(latitude_deg, longitude_deg)
        return cls(
            _centimetres(east_m),
            _centimetres(north_m),
            utm_zone,
            latitude_deg,
            longitude_deg,
        )

    def __len__(self) -> int:
        return len(self.utm_zone)

    @property
    def known(self) -> np.ndarray:
        """Whether each position is known."""
        return (self.utm_zone != UNKNOWN_ZONE) | self.is_local

    @property
    def is_local(self) -> np.ndarray:
        """Whether each is in metres from an origin that is not known."""
        return (self.utm_zone == LOCAL_ZONE) & np.isnan(self.latitude_deg)

    def refuse_mixture(self, others: Positions | None = None) -> None:
        """Checks that all known positions are local coordinates, or none is.

        Args:
            others: Checked together with these.

        Raises:
            ValueError: Some are, and some are not.
        """
        local = [
            positions.is_local[positions.known] for positions in (self, others or self)
        ]
        both = np.concatenate(local)
        if both.any() and not both.all():
            raise ValueError(
                "Local coordinates (metres without a UTM zone) and positions on the "
                "earth cannot be compared: where the origin of the local ones lies is "
                "not known. Give all a zone, or none."
            )

    def refuse_local(self, what: str) -> None:
        """Checks that latitude and longitude are known of what has a position.

        Args:
            what: Needs them, for the message.

        Raises:
            ValueError: Some positions are local coordinates.
        """
        num_local = int(np.count_nonzero(self.is_local))
        if num_local:
            raise ValueError(
                f"{what} needs latitude and longitude, and {num_local:,} positions are "
                "local coordinates, metres without a UTM zone."
            )

    @property
    def utm_cm(self) -> np.ndarray:
        """UTM east and north, int64 centimetres `(num_images, 2)`."""
        return np.stack([self.utm_east_cm, self.utm_north_cm], axis=1)

    def take(self, ids: np.ndarray) -> Positions:
        """Returns the positions of some images, in the order of `ids`."""
        return Positions(*(getattr(self, field.name)[ids] for field in fields(self)))

    def projected_to(self, utm_zone: npt.ArrayLike) -> Positions:
        """Returns the same places in the coordinates of given zones.

        Args:
            utm_zone: Signed zone of all, or of each. What is in its zone already
                keeps its coordinates; others are computed from the degrees.

        Raises:
            ValueError: Local coordinates are elsewhere.
        """
        zones = np.broadcast_to(np.asarray(utm_zone, self.utm_zone.dtype), len(self))
        east_cm, north_cm = self.utm_east_cm.copy(), self.utm_north_cm.copy()
        elsewhere = self.utm_zone != zones
        if np.any(elsewhere & ((zones == LOCAL_ZONE) | self.is_local)):
            raise ValueError(
                "Local coordinates and UTM positions cannot be compared: where the "
                "origin of the local ones lies is not known."
            )
        for zone in np.unique(zones[elsewhere]).tolist():
            rows = np.flatnonzero(elsewhere & (zones == zone))
            east_m, north_m, _, _ = utm.from_latlon(
                self.latitude_deg[rows],
                self.longitude_deg[rows],
                force_zone_number=abs(zone),
                force_northern=zone > 0,
            )
            east_cm[rows], north_cm[rows] = _centimetres(east_m), _centimetres(north_m)
        return replace(
            self, utm_east_cm=east_cm, utm_north_cm=north_cm, utm_zone=zones.copy()
        )


def local_text(num_local: int) -> str:
    """Says what local coordinates mean."""
    return (
        f"{num_local:,} positions are local coordinates, metres without a UTM zone; "
        "their latitude and longitude are unknown"
    )


def _centimetres(metres: npt.ArrayLike) -> np.ndarray:
    return np.rint(np.asarray(metres) * 100).astype(np.int64)


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
    known &= database.is_local[predictions] == queries.is_local[:, None]
    query, column = np.nonzero(known)
    near = queries.take(query)
    far = database.take(predictions[query, column])
    distances[query, column] = _pairwise_m(near, far)
    return distances


def _pairwise_m(queries: Positions, images: Positions) -> np.ndarray:
    projected = images.projected_to(queries.utm_zone)
    planar_m = np.hypot(*(projected.utm_cm - queries.utm_cm).T) / 100
    centre_deg = np.abs(queries.utm_zone.astype(np.int64)) * 6 - 183
    off_deg = wrap_degrees(images.longitude_deg - centre_deg)
    far = queries.utm_zone != images.utm_zone
    far &= np.abs(off_deg) > _MAX_DEGREES_OFF_CENTRE
    great_circle = great_circle_m(
        queries.latitude_deg,
        queries.longitude_deg,
        images.latitude_deg,
        images.longitude_deg,
    )
    return np.where(far, great_circle, planar_m)


def great_circle_m(
    latitude_a_deg: npt.ArrayLike,
    longitude_a_deg: npt.ArrayLike,
    latitude_b_deg: npt.ArrayLike,
    longitude_b_deg: npt.ArrayLike,
) -> np.ndarray:
    """Returns metres along the sphere between places a and b; NaN where one is NaN."""
    latitude_a, latitude_b = np.radians(latitude_a_deg), np.radians(latitude_b_deg)
    longitude = np.radians(np.asarray(longitude_b_deg) - np.asarray(longitude_a_deg))
    haversine = (
        np.sin((latitude_b - latitude_a) / 2) ** 2
        + np.cos(latitude_a) * np.cos(latitude_b) * np.sin(longitude / 2) ** 2
    )
    return 2 * MEAN_RADIUS_M * np.arcsin(np.sqrt(np.clip(haversine, 0, 1)))
