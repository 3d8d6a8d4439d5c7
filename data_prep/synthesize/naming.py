"""Image names of the SF-XL standard."""

from __future__ import annotations

import base64
import functools
import hashlib

import utm

UTM_ZONE_NUMBER = 32
UTM_ZONE_LETTER = "T"


def panorama_id(*parts: object) -> str:
    """Returns 22 characters that stay the same for the same parts."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:22]


def image_name(
    utm_east: float,
    utm_north: float,
    heading_deg: float,
    pano_id: str,
    tile: int | None,
    timestamp: str,
) -> str:
    """Returns `@utm_east@utm_north@zone@letter@lat@lon@...@.jpg`.

    Args:
        utm_east: Metres east in the zone of the miniature city.
        utm_north: Metres north.
        heading_deg: Azimuth of the image's centre: 0 north, 90 east.
        pano_id: Name of the panorama that the image was cut from.
        tile: Number of the crop in its panorama; None for a photograph.
        timestamp: YYYYMM, YYYYMMDD_hhmm or YYYYMMDD_hhmmss.
    """
    latitude, longitude = _latitude_longitude(utm_east, utm_north)
    fields = [
        f"{utm_east:0=10.2f}",
        f"{utm_north:0=10.2f}",
        f"{UTM_ZONE_NUMBER:02d}",
        UTM_ZONE_LETTER,
        f"{latitude:0=9.5f}",
        f"{longitude:0=10.5f}",
        pano_id,
        "" if tile is None else f"{tile:02d}",
        f"{int(heading_deg) % 360:03d}",
        *[""] * 3,  # pitch, roll, height
        timestamp,
        "",  # note
    ]
    return "@" + "@".join(fields) + "@.jpg"


@functools.lru_cache(maxsize=16)  # the crops of a panorama share their place
def _latitude_longitude(utm_east: float, utm_north: float) -> tuple[float, float]:
    latitude, longitude = utm.to_latlon(
        utm_east, utm_north, UTM_ZONE_NUMBER, UTM_ZONE_LETTER
    )
    return float(latitude), float(longitude)
