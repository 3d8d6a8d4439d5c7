"""Rows that imitate the train split of SF-XL, drawn by a seed; no image is drawn.

Taken from the data are 41.2 million photos on 12.1 km by 12.1 km of UTM zone 10 north
(fewer photos, less ground), panoramas cut in twelve photos, those that look north
called 0 or 360, names of the standard in their order, and the share of each year among
the 8,015 photos of the val set of SF-XS. Streets are a grid, so wide that there are
about as many cells of 20 m and classes of ten photos as in SF-XL.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vpr_tf.geo import utm_to_lat_lon
from vpr_tf.photos.scan import ScannedChunk
from vpr_tf.photos.schema import NO_GROUPS, ROW_DTYPE

WEST_CM, SOUTH_CM = 543_054_00, 4_172_658_00
EXTENT_CM, WHOLE_CITY = 12_100_00, 41_200_000
CROPS = 12
ZONE = 10
SIDE_PX = 512
# Photos of each year, of 8,015.
_YEARS = {
    2007: 121,
    2008: 548,
    2009: 166,
    2011: 826,
    2012: 9,
    2013: 640,
    2014: 1327,
    2015: 877,
    2016: 792,
    2017: 958,
    2018: 286,
    2019: 826,
    2020: 385,
    2021: 254,
}
_STREET_DISTANCE_CM, _STREET_WIDTH_CM = 140_00, 6_00
_NORTH_IS_360 = 0.54
_ID_BYTES = 16
PANORAMA_DTYPE = np.dtype(
    [
        ("utm_east_cm", "<i8"),
        ("utm_north_cm", "<i8"),
        ("latitude_e7", "<i8"),
        ("longitude_e7", "<i8"),
        ("timestamp", "S6"),
        ("pano_id", "S22"),
        ("north_is_360", "?"),
    ]
)


def draw_panoramas(
    num_photos: int, seed: int, city_photos: int | None = None
) -> np.ndarray:
    """Draws the panoramas that a number of photos is cut from.

    Args:
        num_photos: Twelve for each panorama.
        seed: Of all that is drawn.
        city_photos: Photos of the city, which say how far it extends; None if these
            are all.

    Returns:
        Rows of `PANORAMA_DTYPE`, in the order of the names of their photos.
    """
    rng = np.random.default_rng(seed)
    count = -(-num_photos // CROPS)
    panoramas = np.empty(count, PANORAMA_DTYPE)
    share = (city_photos or num_photos) / WHOLE_CITY
    east, north = _street_positions(rng, count, int(EXTENT_CM * share**0.5))
    order = np.lexsort((north, east))
    panoramas["utm_east_cm"], panoramas["utm_north_cm"] = east[order], north[order]
    latitude, longitude = utm_to_lat_lon(
        panoramas["utm_east_cm"] / 100, panoramas["utm_north_cm"] / 100, ZONE
    )
    panoramas["latitude_e7"] = np.rint(latitude * 1e7)
    panoramas["longitude_e7"] = np.rint(longitude * 1e7)
    frequencies = np.array([*_YEARS.values()]) / sum(_YEARS.values())
    years = rng.choice([*_YEARS], count, p=frequencies)
    months = rng.integers(1, 13, count)
    panoramas["timestamp"] = (years * 100 + months).astype("S6")
    ids = rng.bytes(_ID_BYTES * count)
    panoramas["pano_id"] = [
        base64.urlsafe_b64encode(ids[start : start + _ID_BYTES])[:22]
        for start in range(0, len(ids), _ID_BYTES)
    ]
    panoramas["north_is_360"] = rng.random(count) < _NORTH_IS_360
    return panoramas


def _street_positions(
    rng: np.random.Generator, count: int, extent_cm: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns UTM east and north in centimetres, along the streets of a grid."""
    along = rng.integers(0, extent_cm, count)
    across = rng.integers(0, extent_cm, count)
    sideways = rng.integers(0, _STREET_WIDTH_CM, count)
    on_avenue = rng.random(count) < 0.5
    east, north = (
        np.where(
            is_free,
            value,
            value // _STREET_DISTANCE_CM * _STREET_DISTANCE_CM + sideways,
        )
        for value, is_free in ((along, ~on_avenue), (across, on_avenue))
    )
    return WEST_CM + east, SOUTH_CM + north


def photo_rows(panoramas: np.ndarray) -> np.ndarray:
    """Returns the rows of the photos of panoramas, of `ROW_DTYPE`, without their keys.

    They are in the order of the photos' names.
    """
    rows = np.zeros(CROPS * len(panoramas), ROW_DTYPE)
    for name in ("utm_east_cm", "utm_north_cm", "latitude_e7", "longitude_e7"):
        rows[name] = np.repeat(panoramas[name], CROPS)
    rows["timestamp"] = np.repeat(panoramas["timestamp"], CROPS)
    rows["utm_zone"], rows["exif_orientation"] = ZONE, 1
    rows["height"] = rows["width"] = SIDE_PX
    for name, unknown in NO_GROUPS._asdict().items():
        rows[name] = unknown
    headings = np.array([_headings(False), _headings(True)], np.float32)
    rows["heading_deg"] = headings[panoramas["north_is_360"].astype(int)].ravel()
    return rows


def photo_names(panoramas: np.ndarray) -> list[bytes]:
    """Returns the names of the photos of panoramas, sorted."""
    tails = [
        [b"%d@@@@%%s@@.jpg" % heading for heading in _headings(is_360)]
        for is_360 in (False, True)
    ]
    names = []
    for east, north, latitude, longitude, time, pano_id, is_360 in panoramas.tolist():
        head = b"@%010.2f@%010.2f@%d@S@%09.5f@%010.5f@%s@@" % (
            east / 100,
            north / 100,
            ZONE,
            latitude / 1e7,
            longitude / 1e7,
            pano_id,
        )
        names += [head + tail % time for tail in tails[is_360]]
    return names


def _headings(north_is_360: bool) -> list[int]:
    """Returns the headings of the photos of a panorama, in the order of their names."""
    headings = [360 if north_is_360 else 0, *range(30, 360, 30)]
    return sorted(headings, key=lambda heading: f"{heading}@")


def scanned_chunks(
    panoramas: Path, num_photos: int, chunk_entries: int
) -> Iterator[ScannedChunk]:
    """Yields what a scan of the photos would give, a chunk at a time.

    Args:
        panoramas: File of rows of `PANORAMA_DTYPE`.
        num_photos: How many there are; the last panorama may have fewer than twelve.
        chunk_entries: Photos of a chunk.
    """
    with panoramas.open("rb") as file:
        for first in range(0, num_photos, CROPS * chunk_entries):
            piece = np.fromfile(file, PANORAMA_DTYPE, chunk_entries)
            rows, names = photo_rows(piece), photo_names(piece)
            last = min(len(rows), num_photos - first)
            for start in range(0, last, chunk_entries):
                part = slice(start, min(start + chunk_entries, last))
                yield _chunk(rows[part].copy(), names[part])


def _chunk(rows: np.ndarray, names: list[bytes]) -> ScannedChunk:
    lengths = [len(name) for name in names]
    rows["key_end"] = np.cumsum(lengths, dtype=np.int64)
    return ScannedChunk(rows, b"".join(names), [], [], max(lengths), 0.0, 0)
