"""Photos wherever a test wants them, as matches of a query."""

import numpy as np

from vpr_tf.geo import Positions, lat_lon_to_utm
from vpr_tf.localization import Candidates, estimate_positions
from vpr_tf.photos import PhotoTable

METRES_PER_DEGREE = 111_319.49  # of longitude at the equator, WGS84


def positions_at(latitude_deg, longitude_deg, known=True) -> Positions:
    """Returns positions in the standard zones of some places."""
    latitude, longitude = np.broadcast_arrays(
        np.asarray(latitude_deg, float), np.asarray(longitude_deg, float)
    )
    east_m, north_m, zone = lat_lon_to_utm(latitude, longitude)
    return Positions(
        np.rint(east_m * 100).astype(np.int64),
        np.rint(north_m * 100).astype(np.int64),
        np.where(known, zone, 0).astype(np.int16),
        latitude,
        longitude,
    )


def photos_at(positions: Positions, heading_deg=-1.0) -> PhotoTable:
    """Returns photos of positions, with names of their rows."""
    n = len(positions)
    keys = np.array([f"{row}.jpg".encode() for row in range(n)], "S12")
    heading = np.broadcast_to(np.asarray(heading_deg, np.float32), (n,)).copy()
    return PhotoTable(keys, positions, heading, np.full(n, b"202001", "S15"))


def photos_in_plane(east_m, north_m, zone=10, heading_deg=-1.0) -> PhotoTable:
    """Returns photos around a point of a UTM zone, metres from it."""
    east_cm = 500_000_00 + np.rint(np.asarray(east_m, float) * 100).astype(np.int64)
    north_cm = 4_000_000_00 + np.rint(np.asarray(north_m, float) * 100).astype(np.int64)
    n = len(east_cm)
    positions = Positions(
        east_cm, north_cm, np.full(n, zone, np.int16), np.zeros(n), np.zeros(n)
    )
    return photos_at(positions, heading_deg)


def estimate(distances, rows, photos, config, query_heading_deg=None, **options):
    """Estimates positions from matches."""
    candidates = Candidates.from_matches(
        np.asarray(distances), rows, photos, config, query_heading_deg
    )
    return estimate_positions(candidates, config, **options)


def supporting(estimates, query=0) -> list[int]:
    """Returns the rows of the photos that a position rests on, most similar first.

    Photos must be of `photos_at`.
    """
    rows = estimates.candidates.rows[query, estimates.members[query]]
    keys = estimates.candidates.photos.keys[rows]
    return [int(key.removesuffix(b".jpg")) for key in keys]
