"""Geographic and UTM coordinates; zones are signed, negative south of the equator."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import utm

from vpr_tf.geo.earth import LOCAL_ZONE, wrap_degrees

_ZONE_TEXT = re.compile(r"([+-]?[0-9]{1,2}) ?([C-HJ-NP-X]?)")
SOUTHERN_LIMIT_DEG, NORTHERN_LIMIT_DEG = -80.0, 84.0


def parse_zone(text: str) -> int:
    """Reads a signed UTM zone; see `parse_zone_and_band`."""
    return parse_zone_and_band(text)[0]


def parse_zone_and_band(text: str) -> tuple[int, str]:
    """Reads a UTM zone: a signed number, or a number and a band letter as in 10S.

    Returns:
        The signed zone, and the letter, empty if there is none.

    Raises:
        ValueError: Another form, or a number beyond 60.
    """
    match = _ZONE_TEXT.fullmatch(text.strip().upper())
    number = int(match.group(1)) if match else 0
    letter = match.group(2) if match else ""
    if not 1 <= abs(number) <= 60 or (letter and number < 0):
        raise ValueError(
            "UTM zone must be 1 to 60, with a band letter (10S) or negative in the "
            f"south (-33). Received: {text!r}"
        )
    return (-number if letter and not is_northern_band(letter) else number), letter


def is_northern_band(letter: str) -> bool:
    """Whether a UTM latitude band lies north of the equator."""
    return letter.upper() >= "N"


def utm_zones(latitude: npt.ArrayLike, longitude: npt.ArrayLike) -> np.ndarray:
    """Returns the signed UTM zone of each position, int16.

    The exceptions of Norway (32V) and Svalbard (31X to 37X) are those of the standard.

    Args:
        latitude: Degrees, any shape.
        longitude: Degrees, same shape.
    """
    latitude, longitude = np.broadcast_arrays(
        np.asarray(latitude, np.float64), np.asarray(longitude, np.float64)
    )
    longitude = wrap_degrees(longitude)
    zone = (np.floor((longitude + 180.0) / 6.0) + 1).astype(np.int16)
    norway = (latitude >= 56) & (latitude < 64) & (longitude >= 3) & (longitude < 12)
    zone = np.where(norway, 32, zone)
    svalbard = (latitude >= 72) & (longitude >= 0) & (longitude < 42)
    wide = 31 + 2 * np.floor((longitude + 3.0) / 12.0).astype(np.int16)
    zone = np.where(svalbard, wide, zone)
    return np.where(latitude >= 0, zone, -zone).astype(np.int16)


def lat_lon_to_utm(
    latitude: npt.ArrayLike, longitude: npt.ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Converts degrees to UTM.

    Args:
        latitude: Degrees between -80 and 84, any shape.
        longitude: Degrees, same shape.

    Returns:
        East and north in metres (float64) and signed zones (int16), same shape.

    Raises:
        ValueError: A latitude is outside UTM, or a value is not finite.
    """
    latitude, longitude = np.broadcast_arrays(
        np.asarray(latitude, np.float64), np.asarray(longitude, np.float64)
    )
    inside = (latitude >= SOUTHERN_LIMIT_DEG) & (latitude <= NORTHERN_LIMIT_DEG)
    if not np.all(inside & np.isfinite(longitude)):
        raise ValueError(
            "`latitude` must lie between -80 and 84 degrees, the range of UTM, and "
            f"`longitude` be finite. Received: {latitude[~inside][:3].tolist()}"
        )
    longitude = wrap_degrees(longitude)
    zones = utm_zones(latitude, longitude)
    east, north = np.empty(latitude.shape), np.empty(latitude.shape)
    for zone in np.unique(zones):
        rows = zones == zone
        east[rows], north[rows], _, _ = utm.from_latlon(
            latitude[rows],
            longitude[rows],
            force_zone_number=abs(int(zone)),
            force_northern=bool(zone > 0),
        )
    return east, north, zones


def utm_to_lat_lon(
    utm_east: npt.ArrayLike, utm_north: npt.ArrayLike, zones: npt.ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Converts UTM to degrees.

    Args:
        utm_east: Metres, any shape.
        utm_north: Metres, same shape.
        zones: Signed zones, same shape.

    Returns:
        Latitude and longitude in degrees, float64, same shape; NaN of zone 0, which
        marks local coordinates.
    """
    utm_east, utm_north, zones = np.broadcast_arrays(
        np.asarray(utm_east, np.float64),
        np.asarray(utm_north, np.float64),
        np.asarray(zones, np.int64),
    )
    latitude, longitude = np.empty(utm_east.shape), np.empty(utm_east.shape)
    for zone in np.unique(zones):
        rows = zones == zone
        if zone == LOCAL_ZONE:
            latitude[rows] = longitude[rows] = np.nan
            continue
        latitude[rows], longitude[rows] = utm.to_latlon(
            utm_east[rows],
            utm_north[rows],
            abs(int(zone)),
            northern=bool(zone > 0),
            strict=False,
        )
    return latitude, longitude
