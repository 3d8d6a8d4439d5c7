"""Texts of tables, names and EXIF data to metadata, and one position to the other."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import NamedTuple

import numpy as np

from vpr_tf.config import ReadingConfig
from vpr_tf.geo import (
    HEADING_RULE,
    LOCAL_ZONE,
    UNKNOWN_HEADING_DEG,
    Positions,
    contradictions,
    lat_lon_problem,
    lat_lon_to_utm,
    normalized_headings,
    parse_zone_and_band,
    utm_problems,
)
from vpr_tf.photos.errors import InvalidEntryError
from vpr_tf.photos.schema import (
    GROUP_COLUMNS,
    NO_GROUPS,
    UNKNOWN_DEGREES_E7,
    UNKNOWN_NUMBER,
    WITHOUT_POSITION,
    ImageMetadata,
    PhotoGroups,
)

LOCAL = "local"
_LARGEST_POSITION_CM = 10**10  # 100,000 km: no UTM position is further
_UNKNOWN_TEXTS = frozenset(("", "nan", "none", "null", "na", "n/a"))
# YYYY[MM[DD[_hh[mm[ss]]]]], ISO 8601 and the form of EXIF; a fraction of a second and
# the offset from UTC do not count.
_TIME = re.compile(
    r"([0-9]{4})(?:([-:/]?)([0-9]{2})(?:\2([0-9]{2})"
    r"(?:[T_ ]([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(?:[.,][0-9]+)?)?)?"
    r" ?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?)?)?"
)
_YEARS = (1800, 2100)  # nobody took a photo before, or has taken one after


class ReadMetadata(NamedTuple):
    """What the texts of one photo say; `None` and empty where they say nothing.

    Attributes:
        utm_cm: UTM east and north in centimetres, never rounded up.
        zone: Signed, and the band letter if there was one.
        degrees_e7: Latitude and longitude, 1e-7 degrees.
        heading_deg: See `schema.ImageMetadata`.
        timestamp: Likewise.
        groups: What photos belong together.
    """

    utm_cm: tuple[int, int] | None
    zone: tuple[int, str] | None
    degrees_e7: tuple[int, int] | None
    heading_deg: float = UNKNOWN_HEADING_DEG
    timestamp: str = ""
    groups: PhotoGroups = NO_GROUPS


NOTHING_KNOWN = ReadMetadata(None, None, None)


class PartlyReadError(InvalidEntryError):
    """A heading, time or group that cannot be, beside what may be used.

    Attributes:
        usable: The rest.
    """

    def __init__(self, reason: str, usable: ReadMetadata) -> None:
        super().__init__(reason)
        self.usable = usable


def complete_positions(
    table: Sequence[ReadMetadata], reading: ReadingConfig
) -> list[ImageMetadata | InvalidEntryError]:
    """Computes UTM from degrees and degrees from UTM, or says why they cannot be.

    Args:
        table: With UTM and zone, or degrees, or both; a photo with neither has no
            position.
        reading: How far the two positions of a photo may be apart.
    """
    found: list[ImageMetadata | InvalidEntryError | None] = [None] * len(table)
    in_utm = [i for i, row in enumerate(table) if row.utm_cm is not None]
    _complete_degrees(table, in_utm, reading.max_disagreement_m, found)
    in_degrees = [
        i for i, row in enumerate(table) if row.utm_cm is None and row.degrees_e7
    ]
    _complete_utm(table, in_degrees, found)
    return [
        without_position(row) if complete is None else complete
        for row, complete in zip(table, found, strict=True)
    ]


def without_position(row: ReadMetadata) -> ImageMetadata:
    """Returns heading and time of a photo whose position is unknown."""
    return WITHOUT_POSITION._replace(
        heading_deg=row.heading_deg, timestamp=row.timestamp
    )


def _complete_degrees(
    table: Sequence[ReadMetadata],
    rows: list[int],
    max_disagreement_m: float,
    found: list[ImageMetadata | InvalidEntryError | None],
) -> None:
    if not rows:
        return
    utm_cm = np.array([table[i].utm_cm for i in rows], np.int64)
    zones = [table[i].zone or (0, "") for i in rows]
    signed = np.array([zone for zone, _ in zones], np.int16)
    positions = Positions.from_utm(utm_cm[:, 0] / 100, utm_cm[:, 1] / 100, signed)
    given = np.array([table[i].degrees_e7 or (np.nan, np.nan) for i in rows]) / 1e7
    on_earth = np.flatnonzero(signed != LOCAL_ZONE)
    bands = [zones[number][1] for number in on_earth]
    wrong = utm_problems(positions.take(on_earth), bands)
    problems = {int(on_earth[number]): text for number, text in wrong.items()}
    apart = contradictions(positions, given[:, 0], given[:, 1], max_disagreement_m)
    computed = np.stack([positions.latitude_deg, positions.longitude_deg], 1) * 1e7
    computed = np.where(np.isnan(computed), UNKNOWN_DEGREES_E7, np.rint(computed))
    for number, i in enumerate(rows):
        reasons = [why[number] for why in (problems, apart) if number in why]
        if reasons:
            found[i] = InvalidEntryError("; ".join(reasons))
            continue
        latitude_e7, longitude_e7 = table[i].degrees_e7 or computed[number].tolist()
        found[i] = ImageMetadata(
            int(utm_cm[number, 0]),
            int(utm_cm[number, 1]),
            int(signed[number]),
            int(latitude_e7),
            int(longitude_e7),
            table[i].heading_deg,
            table[i].timestamp,
        )


def _complete_utm(
    table: Sequence[ReadMetadata],
    rows: list[int],
    found: list[ImageMetadata | InvalidEntryError | None],
) -> None:
    if not rows:
        return
    degrees_e7 = np.array([table[i].degrees_e7 for i in rows], np.int64)
    east, north, zones = lat_lon_to_utm(degrees_e7[:, 0] / 1e7, degrees_e7[:, 1] / 1e7)
    for number, i in enumerate(rows):
        found[i] = ImageMetadata(
            math.floor(east[number] * 100),
            math.floor(north[number] * 100),
            int(zones[number]),
            int(degrees_e7[number, 0]),
            int(degrees_e7[number, 1]),
            table[i].heading_deg,
            table[i].timestamp,
        )


# === Texts ===


def is_unknown(text: str) -> bool:
    """Whether a text stands for a value that is not known, such as an empty one."""
    return text.strip().lower() in _UNKNOWN_TEXTS


def parse_utm(east: str, north: str) -> tuple[int, int]:
    """Reads metres and returns the centimetres at or below them.

    Raises:
        InvalidEntryError: Not numbers, or further than any UTM position.
    """
    return _centimetres(east, "utm_east"), _centimetres(north, "utm_north")


def parse_zone(text: str) -> tuple[int, str]:
    """Reads a signed zone and the band letter, empty if there is none.

    Args:
        text: `local` stands for local coordinates.

    Raises:
        InvalidEntryError: No UTM zone.
    """
    if text.strip().lower() == LOCAL:
        return LOCAL_ZONE, ""
    try:
        return parse_zone_and_band(text)
    except ValueError as error:
        raise InvalidEntryError(str(error)) from None


def parse_degrees(latitude: str, longitude: str) -> tuple[int, int] | None:
    """Reads latitude and longitude in 1e-7 degrees; None where both are unknown.

    Raises:
        InvalidEntryError: Not numbers, only one of the two, beyond what can be, or
            0, 0.
    """
    if is_unknown(latitude) and is_unknown(longitude):
        return None
    for name, text in (("latitude", latitude), ("longitude", longitude)):
        if is_unknown(text):
            raise InvalidEntryError(f"{name} is empty and the other of the two is not")
    found = _decimal(latitude, "latitude"), _decimal(longitude, "longitude")
    problem = lat_lon_problem(float(found[0]), float(found[1]))
    if problem:
        raise InvalidEntryError(problem)
    latitude_e7, longitude_e7 = (
        int(number.scaleb(7).to_integral_value(ROUND_HALF_EVEN)) for number in found
    )
    return latitude_e7, longitude_e7


def parse_heading_deg(text: str) -> float:
    """Reads a heading into [0, 360] as a float32 number; -1 where it is unknown.

    A heading that float32 would round up to the next whole degree stays below it, so
    that its bin is that of the number in the text.

    Raises:
        InvalidEntryError: Not a number, or beyond what can be.
    """
    if is_unknown(text):
        return UNKNOWN_HEADING_DEG
    try:
        heading = float(normalized_headings(float(_decimal(text, "heading_deg"))))
    except InvalidEntryError:
        raise
    except ValueError:
        raise InvalidEntryError(
            f"heading_deg {text} is impossible; it must be {HEADING_RULE}"
        ) from None
    stored = np.float32(heading)
    if math.floor(stored) > math.floor(heading):
        stored = np.nextafter(stored, np.float32(0))
    return float(stored)


def with_heading_and_time(
    position: ReadMetadata,
    heading_deg: str,
    timestamp: str,
    groups: tuple[str, str, str] = ("", "", ""),
) -> ReadMetadata:
    """Adds heading, time, and what a photo belongs to, to a position.

    Args:
        position: What is known of it.
        heading_deg: Text of the heading.
        timestamp: Of the time.
        groups: Of `PhotoGroups`.

    Raises:
        PartlyReadError: One of them cannot be; it holds the others.
    """
    found, reasons = position, []
    try:
        found = found._replace(heading_deg=parse_heading_deg(heading_deg))
    except InvalidEntryError as error:
        reasons.append(str(error))
    try:
        found = found._replace(timestamp=parse_timestamp(timestamp))
    except InvalidEntryError as error:
        reasons.append(str(error))
    try:
        found = found._replace(groups=parse_groups(*groups))
    except InvalidEntryError as error:
        reasons.append(str(error))
    if reasons:
        raise PartlyReadError("; ".join(reasons), found)
    return found


def parse_groups(place_id: str, sequence: str, frame: str) -> PhotoGroups:
    """Reads what photos belong together.

    Raises:
        InvalidEntryError: A number is none, below 0 or too large, or a name too long.
    """
    longest = np.dtype(GROUP_COLUMNS["sequence"]).itemsize
    sequence = "" if is_unknown(sequence) else sequence
    if len(sequence.encode("utf-8", "surrogateescape")) > longest:
        raise InvalidEntryError(
            f"sequence must have at most {longest} bytes, not {sequence[:80]!r}"
        )
    return PhotoGroups(
        _whole_number("place_id", place_id), sequence, _whole_number("frame", frame)
    )


def _whole_number(name: str, text: str) -> int:
    """Reads a number that fits the column, `UNKNOWN_NUMBER` where it is unknown."""
    if is_unknown(text) or text.strip() == str(UNKNOWN_NUMBER):
        return UNKNOWN_NUMBER
    largest = int(np.iinfo(GROUP_COLUMNS[name]).max)
    if re.fullmatch(r"[0-9]{1,19}(\.0+)?", text.strip()):
        number = int(text.strip().partition(".")[0])
        if number <= largest:
            return number
    raise InvalidEntryError(
        f"{name} must be a whole number from 0 to {largest:,}, not {text[:80]!r}"
    )


def parse_timestamp(text: str) -> str:
    """Returns a time as YYYY[MM[DD[_hh[mm[ss]]]]], empty where it is unknown.

    Args:
        text: In that form, in ISO 8601 (2019-06-30T12:34:56Z) or as cameras write it
            (2019:06:30 12:34:56). An offset from UTC is left out: the time is that of
            the clock.

    Raises:
        InvalidEntryError: Another form, or a time that does not exist.
    """
    if is_unknown(text):
        return ""
    match = _TIME.fullmatch(text.strip())
    if not match:
        raise InvalidEntryError(
            "timestamp must have the form YYYY[MM[DD[_hh[mm[ss]]]]] or of ISO 8601, "
            f"not {text!r}"
        )
    year, _, *rest = match.groups()
    others = [part for part in rest if part]
    first, last = _YEARS
    try:
        numbers = [int(year), *map(int, others), *(1, 1, 0, 0, 0)[len(others) :]]
        year_number, month, day, hour, minute, second = numbers
        datetime.datetime(year_number, month, day, hour, minute, second)
        exists = first <= int(year) <= last
    except ValueError:
        exists = False
    if not exists:
        raise InvalidEntryError(
            f"timestamp {text} does not exist: year {first} to {last}, month 01 to 12, "
            "a day of the month, hour 00 to 23, minutes and seconds 00 to 59"
        )
    date, hours = "".join([year, *others[:2]]), "".join(others[2:])
    return f"{date}_{hours}" if hours else date


def _centimetres(text: str, field_name: str) -> int:
    number = _decimal(text, field_name)
    centimetres = int(number.scaleb(2).to_integral_value(ROUND_FLOOR))
    if abs(centimetres) > _LARGEST_POSITION_CM:
        raise InvalidEntryError(f"{field_name} {text} is out of range")
    return centimetres


def _decimal(text: str, field_name: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise InvalidEntryError(f"{field_name} is not a number: {text!r}") from None
    if not number.is_finite() or number.adjusted() > 15:
        raise InvalidEntryError(f"{field_name} is not a usable number: {text!r}")
    return number
