"""Small photos with the EXIF data that cameras write."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

LATITUDE, LONGITUDE, DIRECTION, STATUS = 2, 4, 17, 9
DATE_TIME_ORIGINAL, ORIENTATION = 0x9003, 0x0112


def gps_of(latitude_deg: float, longitude_deg: float, **more: Any) -> dict[int, Any]:
    """Returns the GPS directory of a position; `heading_deg` adds a direction."""
    gps: dict[int, Any] = {
        1: "N" if latitude_deg >= 0 else "S",
        LATITUDE: _degrees_minutes_seconds(abs(latitude_deg)),
        3: "E" if longitude_deg >= 0 else "W",
        LONGITUDE: _degrees_minutes_seconds(abs(longitude_deg)),
    }
    if "heading_deg" in more:
        gps |= {16: "T", DIRECTION: more["heading_deg"]}
    return gps


def _degrees_minutes_seconds(degrees: float) -> tuple[float, float, float]:
    minutes = degrees % 1 * 60
    return float(int(degrees)), float(int(minutes)), minutes % 1 * 60


def write_photo(
    path: Path,
    colour: tuple[int, int, int] = (90, 120, 150),
    *,
    gps: dict[int, Any] | None = None,
    taken: str | None = None,
    orientation: int = 1,
    size: tuple[int, int] = (32, 32),
) -> Path:
    """Writes a JPEG or PNG, by the suffix, of a colour and a little noise."""
    noise = np.random.default_rng(sum(colour)).integers(-8, 9, (*size, 3))
    pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    if gps is not None:
        exif.get_ifd(0x8825).update(gps)
    if taken is not None:
        exif.get_ifd(0x8769)[DATE_TIME_ORIGINAL] = taken
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, exif=exif)
    return path
