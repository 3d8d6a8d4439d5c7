"""Position, heading and time in the EXIF data of a photo, as cameras write them.

Reference: CIPA DC-008 (EXIF 2.32), GPS attribute information.
"""

from __future__ import annotations

import io
import math
import re
import struct
import warnings
from collections.abc import Mapping
from typing import Any

from vpr_tf.photos.errors import InvalidEntryError, NoPositionError
from vpr_tf.photos.metadata import (
    PartlyReadError,
    ReadMetadata,
    parse_degrees,
    parse_timestamp,
    with_heading_and_time,
)

_EXIF_DIRECTORY, _GPS_DIRECTORY = 0x8769, 0x8825
_DATE_TIME_ORIGINAL, _DATE_TIME = 0x9003, 0x0132
_GPS_LATITUDE, _GPS_LONGITUDE = 2, 4  # the tag before each is its hemisphere
_GPS_STATUS, _GPS_IMG_DIRECTION = 9, 17
_VOID_STATUS = "V"  # the receiver had lost its satellites
_DATE_TIME_TEXT = re.compile(r"[0-9]{4}:[0-9]{2}:[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_NO_DATE = re.compile(r"0000:|[0-9]{4}:00:|[0-9]{4}:[0-9]{2}:00")


def read_exif_metadata(path: str | bytes) -> ReadMetadata:
    """Reads what the camera wrote: GPS position, image direction, time of the shot.

    A direction from magnetic north is taken as it is.

    Args:
        path: A JPEG or PNG file, or the content of one.

    Raises:
        InvalidEntryError: There is no position, or what there is cannot be.
    """
    exif, details, gps = _read_directories(path)
    taken = details.get(_DATE_TIME_ORIGINAL) or exif.get(_DATE_TIME)
    if not gps:
        raise NoPositionError(
            "no position: the name has no UTM fields and there is no EXIF GPS data",
            _timestamp(taken),
        )
    latitude_deg, longitude_deg = _position_deg(gps)
    try:
        degrees_e7 = parse_degrees(f"{latitude_deg:.9f}", f"{longitude_deg:.9f}")
        return with_heading_and_time(
            ReadMetadata(None, None, degrees_e7),
            _heading_text(gps.get(_GPS_IMG_DIRECTION)),
            _time_text(taken),
        )
    except PartlyReadError as error:
        raise PartlyReadError(f"EXIF {error}", error.usable) from None
    except InvalidEntryError as error:
        raise InvalidEntryError(f"EXIF {error}") from None


def _read_directories(
    path: str | bytes,
) -> tuple[Mapping[int, Any], Mapping[int, Any], Mapping[int, Any]]:
    """Returns the main, the EXIF and the GPS directory of a file."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # any size is accepted
    try:
        content = io.BytesIO(path) if isinstance(path, bytes) else io.FileIO(path)
        with warnings.catch_warnings(), content as file:
            warnings.simplefilter("ignore")  # of damaged tags, which are left out
            with Image.open(io.BufferedReader(file)) as image:
                exif = image.getexif()
                details = dict(exif.get_ifd(_EXIF_DIRECTORY))
                return dict(exif), details, dict(exif.get_ifd(_GPS_DIRECTORY))
    except (OSError, ValueError, SyntaxError, TypeError, KeyError) as error:
        raise InvalidEntryError(f"EXIF data cannot be read: {error}") from None
    except (struct.error, EOFError) as error:
        raise InvalidEntryError(f"EXIF data is damaged: {error}") from None


def _position_deg(gps: Mapping[int, Any]) -> tuple[float, float]:
    if _text(gps.get(_GPS_STATUS)) == _VOID_STATUS:
        raise InvalidEntryError("EXIF GPS position is marked as void (no satellites)")
    latitude_deg = _signed_deg(gps, _GPS_LATITUDE, "latitude", "NS")
    longitude_deg = _signed_deg(gps, _GPS_LONGITUDE, "longitude", "EW")
    return latitude_deg, longitude_deg


def _signed_deg(gps: Mapping[int, Any], tag: int, name: str, hemispheres: str) -> float:
    """Returns degrees of degrees, minutes and seconds with their hemisphere."""
    if gps.get(tag) is None:
        raise InvalidEntryError(f"EXIF GPS data has no {name}")
    hemisphere = _text(gps.get(tag - 1))
    if hemisphere not in tuple(hemispheres):
        raise InvalidEntryError(
            f"EXIF {name} must be {' or '.join(hemispheres)}, not {hemisphere!r}"
        )
    parts = _numbers(gps[tag])
    whole = 1 <= len(parts) <= 3 and all(0 <= part < 361 for part in parts)
    # Seconds may have been rounded up to 60.
    if not whole or any(part >= 60 for part in parts[1:2]) or parts[2:] > [60]:
        raise InvalidEntryError(
            f"EXIF {name} {_numbers_text(parts)} is not degrees, minutes and seconds "
            "(minutes and seconds below 60)"
        )
    # A fraction of a degree is its minutes: with both it would count twice.
    if any(part % 1 and any(parts[place:]) for place, part in enumerate(parts, 1)):
        raise InvalidEntryError(
            f"EXIF {name} {_numbers_text(parts)} is impossible: only the last of "
            "degrees, minutes and seconds may have a fraction"
        )
    degrees = sum(part / 60**power for power, part in enumerate(parts))
    return -degrees if hemisphere == hemispheres[1] else degrees


def _heading_text(direction: Any) -> str:
    """Returns degrees, empty for what is no direction."""
    numbers = _numbers(direction) if direction is not None else []
    if len(numbers) != 1 or math.isinf(numbers[0]):
        return ""
    return f"{numbers[0]:.6f}"


def _timestamp(taken: Any) -> str:
    """Returns a time that can be, else nothing."""
    try:
        return parse_timestamp(_time_text(taken))
    except InvalidEntryError:
        return ""


def _time_text(taken: Any) -> str:
    """Returns `YYYY:MM:DD hh:mm:ss`, empty for what is no time."""
    match = _DATE_TIME_TEXT.match(_text(taken))
    if not match or _NO_DATE.match(match[0]):
        return ""
    return match[0]


def _numbers(value: Any) -> list[float]:
    """Returns rational numbers as floats; NaN for a division by zero."""
    values = value if isinstance(value, (tuple, list)) else [value]
    numbers = []
    for one in values:
        try:
            numbers.append(float(one))
        except (TypeError, ValueError, ZeroDivisionError):
            numbers.append(math.nan)
    return numbers


def _numbers_text(numbers: list[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return str(value or "").strip(" \0")
