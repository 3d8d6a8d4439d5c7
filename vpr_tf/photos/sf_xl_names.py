"""File names of the SF-XL standard: the position of an image is in its name.

`@ utm_east @ utm_north @ zone number @ zone letter @ latitude @ longitude @ pano_id
@ tile_num @ heading @ pitch @ roll @ height @ timestamp @ note @ extension`
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from vpr_tf.config import DEFAULT_READING, ReadingConfig
from vpr_tf.geo import LOCAL_ZONE, utm_zones
from vpr_tf.photos.errors import InvalidEntryError
from vpr_tf.photos.metadata import (
    LOCAL,
    ReadMetadata,
    complete_positions,
    parse_degrees,
    parse_timestamp,
    parse_utm,
    parse_zone,
    with_heading_and_time,
)
from vpr_tf.photos.schema import ImageMetadata

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
_NUM_FIELDS = 16
_ZONE = re.compile(r"[0-9]{1,2}")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")
_BAND = re.compile(r"[C-HJ-NP-X]")
# The last field that a name with fewer than all may have is the heading.
_MOST_SHORT_FIELDS = 10
# A zone, a band with it or degrees, written in one of the ways that are not read.
_POSITION_LIKE = re.compile(
    r"[NSEW]?[+-]?[0-9]+(?:[.,][0-9]*)? ?°?[A-Z]?|(?:EPSG|UTM|ZONE)[ :_-]*[0-9]+[A-Z]?",
    re.IGNORECASE,
)
_FRACTION = re.compile(r"[NSEW]?[+-]?[0-9]+[.,][0-9]*°?[NSEW]?", re.IGNORECASE)
# Metres have no more than three decimals, degrees of a photo no fewer than four.
_DEGREES_LIKE = re.compile(r"[+-]?[0-9]{1,3}\.[0-9]{4,}")


def has_name_fields(name: str) -> bool:
    """Whether a file name or path has the fields of the standard, right or wrong.

    As the evaluation tools of the field have it, east and north alone will do.
    """
    fields = PurePosixPath(name).name.split("@")
    if fields[0] or len(fields) < 4:
        return False
    return len(fields) == _NUM_FIELDS or all(map(_NUMBER.fullmatch, fields[1:3]))


def parse_image_name(
    name: str, reading: ReadingConfig = DEFAULT_READING
) -> ImageMetadata:
    """Reads the metadata in a file name.

    Args:
        name: File name or path; only its last part counts.
        reading: How far the positions in UTM and in degrees may be apart.

    Raises:
        InvalidEntryError: The name does not follow the standard, or says what cannot
            be.
    """
    (found,) = complete_positions([read_image_name(name, reading)], reading)
    if isinstance(found, InvalidEntryError):
        raise found
    return found


def read_image_name(
    name: str, reading: ReadingConfig = DEFAULT_READING
) -> ReadMetadata:
    """Reads the fields of a file name; what they say together is not checked.

    Without a zone the coordinates are local, unless latitude and longitude say which
    zone it is.

    Args:
        name: File name or path; only its last part counts.
        reading: The zone of names without one.

    Raises:
        InvalidEntryError: The name does not follow the standard, or a field of it says
            what cannot be.
    """
    path = PurePosixPath(name)
    fields = path.name.split("@")
    if not has_name_fields(name):
        raise InvalidEntryError(
            "name has no UTM fields; expected "
            '"@<utm_east>@<utm_north>@...@.jpg" with 15 "@"'
        )
    is_whole = len(fields) == _NUM_FIELDS
    suffix = fields[15] if is_whole else path.suffix
    if suffix.lower() not in IMAGE_SUFFIXES:
        raise InvalidEntryError("name does not end with .jpg, .jpeg or .png")
    if not is_whole:
        fields = _of_short_name([*fields[:-1], path.stem.split("@")[-1]], reading)
    degrees_e7 = parse_degrees(fields[5], fields[6])
    zone = _zone_of(fields[3], fields[4], degrees_e7, reading)
    if zone[0] == LOCAL_ZONE and reading.zone != LOCAL:
        _refuse_degrees(fields[1], fields[2])
    position = ReadMetadata(
        utm_cm=parse_utm(fields[1], fields[2]),
        zone=zone,
        degrees_e7=None if zone[0] == LOCAL_ZONE else degrees_e7,
    )
    return with_heading_and_time(position, fields[9], fields[13])


def _of_short_name(fields: list[str], reading: ReadingConfig) -> list[str]:
    """Returns all fields of a name with fewer: east, north, zone and degrees.

    Args:
        fields: Of the name without its suffix.
        reading: A zone that is given stands for what is not read.

    Raises:
        InvalidEntryError: The name may have a zone, degrees, a heading or a time, not
            where they are read.
    """
    if len(fields) > _MOST_SHORT_FIELDS:
        raise InvalidEntryError(
            f'name has {len(fields) - 1} "@" and the standard has 15: heading and time '
            "cannot be told from others"
        )
    padded = [*fields, "", "", ""]
    zone, band, *degrees = padded[3:7]
    known = fields[:3]
    if (zone, band) == ("", "") or (_ZONE.fullmatch(zone) and _BAND.fullmatch(band)):
        known = padded[:5]
        if all(map(_NUMBER.fullmatch, degrees)) or any(
            map(_FRACTION.fullmatch, degrees)
        ):
            known = padded[:7]
    elif reading.zone is None:
        unread = list(filter(_POSITION_LIKE.fullmatch, fields[3:7]))
        if unread or (not zone and _BAND.fullmatch(band)):
            raise InvalidEntryError(
                f"name has {'@'.join(unread or [band])} after east and north, which "
                "may be a zone or degrees: write zone and band there, as in @10@S@, or "
                "take the metres as local by `--zone local` (`build.reading.zone`)"
            )
    return known + [""] * (_NUM_FIELDS - len(known))


def _refuse_degrees(east: str, north: str) -> None:
    """Refuses local metres that are written as latitude and longitude are.

    Raises:
        InvalidEntryError: Both are.
    """
    texts = east, north
    if not all(map(_DEGREES_LIKE.fullmatch, texts)):
        return
    if abs(float(east)) <= 90 and abs(float(north)) <= 180:
        raise InvalidEntryError(
            f"@{east}@{north} looks like latitude and longitude, not east and north: "
            "write utm_east, utm_north, zone and band, or list the photos in a table; "
            "local metres are taken by `--zone local` (`build.reading.zone`)"
        )


def format_image_name(
    *,
    utm_east_m: float,
    utm_north_m: float,
    zone_number: int,
    zone_letter: str,
    latitude: float,
    longitude: float,
    pano_id: str = "",
    tile_num: int | None = None,
    heading_deg: int | None = None,
    pitch_deg: int | None = None,
    timestamp: str = "",
    note: str = "",
    suffix: str = ".jpg",
) -> str:
    """Returns a file name of the standard, the inverse of `parse_image_name`.

    Raises:
        ValueError: A text field holds "@" or "/", or the timestamp is malformed.
    """
    for field_name, text in (("pano_id", pano_id), ("note", note)):
        if "@" in text or "/" in text:
            raise ValueError(
                f"`{field_name}` must not hold '@' or '/'. Received: {text!r}"
            )
    fields = [
        "",
        f"{utm_east_m:0=10.2f}",
        f"{utm_north_m:0=10.2f}",
        f"{zone_number:02d}",
        zone_letter,
        f"{latitude:0=9.5f}",
        f"{longitude:0=10.5f}",
        pano_id,
        "" if tile_num is None else f"{tile_num:02d}",
        "" if heading_deg is None else f"{heading_deg:03d}",
        "" if pitch_deg is None else f"{pitch_deg:03d}",
        "",  # roll
        "",  # height
        parse_timestamp(timestamp),
        note,
        suffix,
    ]
    return "@".join(fields)


def _zone_of(
    number: str,
    letter: str,
    degrees_e7: tuple[int, int] | None,
    reading: ReadingConfig,
) -> tuple[int, str]:
    """Returns the signed zone, negative south of the equator, and the band letter."""
    if reading.zone == LOCAL:
        return LOCAL_ZONE, ""
    if not number and not letter:
        if reading.zone is not None:
            return parse_zone(reading.zone)
        if degrees_e7 is None:
            return LOCAL_ZONE, ""
        return int(utm_zones(*(value / 1e7 for value in degrees_e7))), ""
    if not _ZONE.fullmatch(number) or not 1 <= int(number) <= 60:
        raise InvalidEntryError(f"UTM zone number must be 1 to 60, not {number!r}")
    if not _BAND.fullmatch(letter):
        raise InvalidEntryError(f"UTM zone letter must be C to X, not {letter!r}")
    return parse_zone(number + letter)
